//! Completions, in the shells for which they are offered, as those call them when a person presses Tab.

use std::path::PathBuf;

use lab::Lab;
use lab::process::{Output, run};

/// What is typed before Tab, and what is then among what is offered.
const TYPED: [(&str, &[&str]); 3] = [
    ("lbd ser", &["service", "server"]),
    ("lbd server dr", &["drain"]),
    ("lbd service add --ch", &["--check"]),
];

/// Calls the function that bash knows for lbd, as readline does.
const BASH: &str = r#"source "$1"
function=$(complete -p lbd | sed 's/.*-F \([^ ]*\) .*/\1/')
COMP_WORDS=($2); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$function" lbd "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"#;

/// Types into an interactive shell at a terminal of its own, and prints what it shows until the pattern matches. What is
/// typed before the first prompt is lost.
const ZSH: &str = r#"zmodload zsh/zpty
zpty shell "env TERM=dumb zsh -f -i"
zpty -r shell shown '*[#%]*'
zpty -w shell "fpath=(${1:h} \$fpath); autoload -Uz compinit; compinit -u -D; LISTMAX=0; PS1=; echo RE''ADY"
zpty -r shell shown '*READY*'
zpty -w -n shell "$2"$'\t\t'
zpty -r shell shown "*${(j:*:)argv[3,-1]}*"
print -r -- "${shown//[^[:print:]]/
}"
zpty -d shell
"#;

/// Asks fish as its own completion does.
const FISH: &str = "source $argv[1]; complete --do-complete $argv[2]";

/// The script for a shell, in a file of this name.
fn script(lab: &Lab, shell: &str, name: &str) -> PathBuf {
    let file = lab.appliance().new_folder(shell).join(name);
    let text = lab.lbd().command(&format!("completions {shell}"), "").expect_ok().to_owned();
    std::fs::write(&file, text).expect("lab folder");
    file
}

fn expect_completed(lab: &Lab, shell: &[&str], file: &PathBuf) {
    for (typed, offered) in TYPED {
        let mut command = lab.appliance().command(shell[0]);
        command.args(&shell[1..]).arg(file).arg(typed);
        if shell[0] == "zsh" {
            // In the order in which they are listed.
            let mut sorted = offered.to_vec();
            sorted.sort_unstable();
            command.args(sorted);
        }
        let output: Output = run(command);
        let shown = output.expect_ok();
        for word in offered {
            assert!(shown.split_whitespace().any(|known| known == *word), "{shell:?} {typed}: {shown}");
        }
    }
}

#[test]
fn every_shell_that_is_offered_completes_what_is_typed() {
    let lab = Lab::single_arm();
    let typist = lab.appliance().new_path("typist.zsh");
    std::fs::write(&typist, ZSH).expect("lab folder");
    let typist = typist.to_string_lossy();
    let shells: [(&str, &str, &str, &[&str]); 3] = [
        ("bash", "lbd", "-n", &["bash", "--norc", "-c", BASH, "bash"]),
        ("zsh", "_lbd", "-n", &["zsh", "-f", &typist]),
        ("fish", "lbd.fish", "--no-execute", &["fish", "--no-config", "--command", FISH]),
    ];
    for (name, file, check, shell) in shells {
        let script = script(&lab, name, file);
        lab.appliance().run(format!("{name} {check} {}", script.display())).expect_ok();
        expect_completed(&lab, shell, &script);
    }
    // No other one is offered: nobody has tried it.
    lab.lbd().command("completions elvish", "").expect_failure("possible values: bash, zsh, fish");
}
