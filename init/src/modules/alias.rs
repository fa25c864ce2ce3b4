//! `modules.alias` and the patterns in it. The kernel names a device ("pci:v000015ADd000007B0sv...") and a module
//! names the devices that it drives, with `*`, `?` and `[0-9]` as in fnmatch(3) (`scripts/mod/file2alias.c`).

/// The lines `alias <pattern> <module>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// Reads the table; lines of another form are passed over.
    pub fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            (words.next()? == "alias").then_some(())?;
            Some((canonical(words.next()?), canonical(words.next()?)))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// The modules for a device, in the order of the table, each once.
    pub fn modules_for(&self, alias: &str) -> Vec<&str> {
        let alias = canonical(alias);
        let mut found = Vec::new();
        for (pattern, module) in &self.0 {
            if !found.contains(&module.as_str()) && matches(pattern.as_bytes(), alias.as_bytes()) {
                found.push(module);
            }
        }
        found
    }
}

/// `-` and `_` are the same in names of modules (modprobe(8)); in patterns, but for ranges in brackets.
pub fn canonical(name: &str) -> String {
    let mut in_brackets = false;
    let swap = |c| {
        in_brackets = (in_brackets || c == '[') && c != ']';
        if c == '-' && !in_brackets { '_' } else { c }
    };
    name.trim().chars().map(swap).collect()
}

/// One `*` is remembered at a time: a later one makes every earlier one superfluous to go back to.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            star = Some((p, t));
        } else if let Some(width) = text.get(t).and_then(|byte| one(&pattern[p..], *byte)) {
            p += width;
            t += 1;
        } else if p == pattern.len() && t == text.len() {
            return true;
        } else if let Some((after, from)) = star.filter(|(_, from)| *from < text.len()) {
            star = Some((after, from + 1));
            (p, t) = (after, from + 1);
        } else {
            return false;
        }
    }
}

/// How many bytes of the pattern `byte` uses up, if it fits.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern.first()? {
        b'?' => Some(1),
        b'[' => {
            let end = pattern.iter().position(|byte| *byte == b']')?;
            in_class(&pattern[1..end], byte).then_some(end + 1)
        }
        literal => (*literal == byte).then_some(1),
    }
}

fn in_class(mut class: &[u8], byte: u8) -> bool {
    loop {
        match class {
            [first, b'-', last, rest @ ..] => {
                if (*first..=*last).contains(&byte) {
                    return true;
                }
                class = rest;
            }
            [single, rest @ ..] => {
                if *single == byte {
                    return true;
                }
                class = rest;
            }
            [] => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_of_real_modules() {
        let table = [
            (
                "pci:v000015ADd000007B0sv*sd*bc*sc*i*",
                "pci:v000015ADd000007B0sv000015ADsd000007B0bc02sc00i00",
                true,
            ),
            (
                "pci:v000015ADd000007B0sv*sd*bc*sc*i*",
                "pci:v000015ADd000007C0sv000015ADsd000007B0bc02sc00i00",
                false,
            ),
            ("acpi*:PNP0C0C:*", "acpi:PNP0C0C:", true),
            ("acpi*:PNP0C0C:*", "acpi:LNXPWRBN:", false),
            (
                "cpu:type:x86,ven*fam*mod*:feature:*0094*",
                "cpu:type:x86,ven0000fam0006mod0055:feature:,0000,0094,00AB",
                true,
            ),
            ("usb:v*p*d*dc*dsc*dp*ic03isc*ip*in*", "usb:v0627p0001d0000dc00dsc00dp00ic03isc01ip02in00", true),
            ("dmi*:[bs]vnIntel*:", "dmi:bvnIntelCorp:", true),
            ("input:b*v*p*e*-e*1,*k*[3-5]*", "input:b0019v0000p0001e0000-e0,1,k74,ramlsfw", true),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("[0-9", "3", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn every_module_once_in_the_order_of_the_table() {
        let table = "# Aliases\nalias pci:* a-b\nalias virtio:* c\nalias pci:v1* a_b\nalias pci:v1* d\nnonsense\nalias x\n";
        let aliases = Aliases::parse(table);
        assert_eq!(aliases.modules_for("pci:v1"), ["a_b", "d"]);
        assert!(aliases.modules_for("usb:").is_empty());
    }

    #[test]
    fn a_dash_is_an_underscore_but_for_ranges() {
        assert_eq!(canonical("nft-chain[0-9]-nat"), "nft_chain[0-9]_nat");
        assert_eq!(
            Aliases::parse("alias nft_chain_2_nat nft_chain_nat").modules_for("nft-chain-2-nat"),
            ["nft_chain_nat"]
        );
    }

    proptest! {
        #[test]
        fn any_pattern_ends(pattern in "[*?a\\[\\]-]{0,20}", text in "[ab-]{0,30}") {
            matches(pattern.as_bytes(), text.as_bytes());
        }

        #[test]
        fn a_text_with_holes_still_matches(parts in proptest::collection::vec("[a-z0-9:]{0,6}", 1..6)) {
            prop_assert!(matches(parts.join("*").as_bytes(), parts.join("xyz").as_bytes()));
        }

        #[test]
        fn tables_of_any_text_are_read(text in any::<String>()) {
            Aliases::parse(&text).modules_for(&text);
        }
    }
}
