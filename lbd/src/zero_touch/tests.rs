use base64::Engine;
use proptest::prelude::*;

use super::*;
use crate::config::validate;

macro_rules! corpus {
    ($name:literal) => {
        include_bytes!(concat!("../../fuzz/corpus/ovf_environment/", $name)).as_slice()
    };
}

pub(super) fn with(properties: &[(&str, &str)]) -> Settings {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let list: String = properties
        .iter()
        .map(|(key, value)| format!(r#"<Property oe:key="{key}" oe:value="{}"/>"#, escaped(value)))
        .collect();
    parse(format!("<Environment><PropertySection>{list}</PropertySection></Environment>").as_bytes()).unwrap()
}

/// What the fuzzer demands too.
fn holds(xml: &[u8]) {
    match parse(xml) {
        Ok(settings) => {
            validate(initial_document(&settings)).expect("the initial configuration is valid");
            for problem in &settings.problems {
                assert!(!problem.remedy.is_empty() && problem.to_string().len() < 1_500, "{problem}");
            }
        }
        Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
    }
}

#[test]
fn the_whole_corpus_is_read_or_refused_with_a_reason() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/ovf_environment");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 10);
    for file in files {
        holds(&std::fs::read(file).unwrap());
    }
}

#[test]
fn nothing_given_means_the_defaults_of_the_specification() {
    let settings = parse(corpus!("vmware-nothing-given.xml")).unwrap();
    assert_eq!(settings, Settings::default());
    let config = validate(initial_document(&settings)).unwrap();
    assert_eq!(config.management.address.to_string(), "192.168.2.21");
    assert_eq!((config.management.interface.as_str(), config.management.https_port), ("eth0", 9443));
    assert!(config.services.is_empty());
    let network = config.document.network.clone().unwrap();
    assert_eq!(network.host_name.as_deref(), Some("lbmaster"));
    assert_eq!(network.interface[0].addresses, ["192.168.2.21/24"]);
}

/// Each knows of the same: what vSphere asks, what is read here, what people are told.
#[test]
fn the_ovf_asks_for_what_is_read_and_the_readme_explains_it() {
    let ovf = include_str!("../../../ova/tests/golden/evenkeel-1.2.3.ovf");
    let asked = ovf.split("<Property ").skip(1).map(|property| {
        let (_, key) = property.split_once("ovf:key=\"").unwrap();
        key.split('"').next().unwrap()
    });
    assert_eq!(asked.collect::<Vec<_>>(), KEYS);
    let readme = include_str!("../../../README.md");
    let (_, table) = readme.split_once("| Property | Example |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    let untold: Vec<_> = KEYS.iter().filter(|key| !table.contains(&format!("`{key}`"))).collect();
    assert!(untold.is_empty(), "{untold:?}");
}

#[test]
fn the_environment_in_the_readme_is_read() {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("    <Environment").unwrap();
    let (example, _) = example.split_once("</Environment>").unwrap();
    let settings = parse(format!("<Environment{example}</Environment>").as_bytes()).unwrap();
    assert!(settings.problems.is_empty() && settings.notes.is_empty(), "{settings:?}");
    assert!(matches!(&settings.password, Some(GivenPassword::OneTime(_))), "{settings:?}");
    let document = initial_document(&settings);
    assert_eq!(document.network.as_ref().unwrap().interface[0].addresses, ["192.168.10.10/24"]);
    validate(document).unwrap();
}

#[test]
fn everything_given_is_used() {
    let settings = parse(corpus!("vmware-all-given.xml")).unwrap();
    assert!(settings.problems.is_empty() && settings.notes.is_empty(), "{settings:?}");
    assert!(matches!(&settings.password, Some(GivenPassword::Hash(hash)) if hash.starts_with("$argon2id$")));
    let config = validate(initial_document(&settings)).unwrap();
    let network = config.network.unwrap();
    assert_eq!(network.host_name.unwrap().as_str(), "lb1.hospital.example");
    assert_eq!(network.default_gateway.unwrap().to_string(), "192.168.10.1");
    assert_eq!((network.dns_servers.len(), config.time.ntp_servers.len()), (2, 2));
    assert_eq!(network.search_domain.unwrap().as_str(), "hospital.example");
    assert_eq!(config.document.time.as_ref().unwrap().zone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(config.management.interface.as_str(), "bond0.100");
    assert_eq!(config.management.address.to_string(), "192.168.10.10");
}

#[test]
fn a_one_time_password_is_taken_letter_by_letter_and_never_shown() {
    let settings = parse(corpus!("one-time-password.xml")).unwrap();
    assert_eq!(settings.password, Some(GivenPassword::OneTime("\"a'b\" <&> ä".into())));
    assert!(!format!("{settings:?}").contains("a'b"));
    let spaces = with(&[("one_time_password", " with spaces ")]);
    assert_eq!(spaces.password, Some(GivenPassword::OneTime(" with spaces ".into())));
    let hash =
        "$argon2id$v=19$m=9216,t=4,p=1$c2FsdHNhbHRzYWx0c2FsdA$4YnbZOgYTtRkGQ6hAPp2Q7mRvCNMyNbO8lJGsrzO+pc";
    let both = with(&[("one_time_password", "only once"), ("password_hash", hash)]);
    assert_eq!(both.password, Some(GivenPassword::Hash(hash.into())));
    assert_eq!(both.notes.len(), 1);
}

#[test]
fn a_whole_configuration_is_taken_whole() {
    for file in [corpus!("configuration-base64.xml"), corpus!("configuration-toml.xml")] {
        let settings = parse(file).unwrap();
        assert!(settings.problems.is_empty(), "{:?}", settings.problems);
        let document = initial_document(&settings);
        assert_eq!(document.virtual_service.len(), 3);
        assert_eq!(document.network.unwrap().host_name.as_deref(), Some("lb2"));
    }
    let notes = parse(corpus!("configuration-base64.xml")).unwrap().notes;
    assert_eq!(notes, ["Without effect, since configuration is given: hostname."]);
    let lost = parse(corpus!("configuration-line-breaks-lost.xml")).unwrap();
    assert!(lost.configuration.is_none());
    assert!(lost.problems[0].remedy.contains("Base64"), "{:?}", lost.problems);
}

#[test]
fn a_configuration_without_addresses_is_taken_with_a_warning() {
    let example = include_str!("../../../examples/datalink.toml");
    let settings = with(&[("configuration", &base64::engine::general_purpose::STANDARD.encode(example))]);
    assert_eq!(initial_document(&settings).network, None);
    assert!(settings.problems[0].to_string().contains("no [network]"), "{:?}", settings.problems);
}

#[test]
fn each_wrong_value_is_named_with_its_remedy_and_the_others_are_used() {
    let settings = parse(corpus!("everything-wrong.xml")).unwrap();
    let told: Vec<_> = settings.problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(settings.notes, ["The property \"vami.timezone\" is not known and has no effect."]);
    assert_eq!(settings.dns, ["192.168.10.2".parse::<Ipv4Addr>().unwrap()]);
    assert_eq!(settings.ntp.iter().map(HostName::as_str).collect::<Vec<_>>(), ["ntp.hospital.example"]);
    assert!(settings.address.is_none() && settings.password.is_none());
    assert!(!told.join("\n").contains("correct horse"), "repeats a password");
}

#[test]
fn addresses_and_gateways_are_those_of_hosts() {
    let cases = [
        ("ip_address", "192.168.2.0/24", "network address"),
        ("ip_address", "192.168.2.255/24", "broadcast address"),
        ("ip_address", "192.168.2.21 255.255.255.0", "prefix"),
        ("ip_address", "192.168.2.21", "prefix"),
        ("ip_address", "fd00::1/64", "not an IPv4 address"),
        ("ip_address", "192.168.2.21/33", "1 to 32"),
        ("gateway", "192.168.2.21", "own address"),
        ("gateway", "192.168.3.1", "not in the network of 192.168.2.21/24"),
        ("hostname", "192.168.2.21", "is an address"),
        ("search_domain", "192.168.2.1", "is an address"),
        ("search_domain", "hospital_example", "is no domain"),
        ("time_zone", "Berlin", "there is no time zone"),
        ("configuration", "bm9uc2Vuc2U", "TOML"),
        ("configuration", "???", "base64 -w0"),
    ];
    for (key, value, expected) in cases {
        let settings = with(&[(key, value)]);
        assert!(settings.problems[0].to_string().contains(expected), "{value}: {:?}", settings.problems);
        assert!(settings.problems[0].field.starts_with(key));
        validate(initial_document(&settings)).unwrap();
    }
    for good in ["10.0.0.1/31", "10.0.0.0/31", "10.0.0.1/32", "10.1.2.3/8"] {
        assert!(with(&[("ip_address", good)]).problems.is_empty(), "{good}");
    }
}

#[test]
fn documents_that_cannot_be_trusted_are_refused_whole() {
    let bomb = format!("{}{}", "<Environment>".repeat(100), "</Environment>".repeat(100));
    let many = format!(
        "<Environment><PropertySection>{}</PropertySection></Environment>",
        "<Property key='x' value='y'/>".repeat(257)
    );
    let attributes: String = (0..20_000).map(|n| format!(" a{n}=''")).collect();
    let wide =
        format!("<Environment><PropertySection><Property{attributes}/></PropertySection></Environment>");
    let cases: [(&[u8], &str); 12] = [
        (corpus!("billion-laughs.xml"), "document type"),
        (corpus!("unknown-entity.xml"), "not XML"),
        (corpus!("cut-off.xml"), "ovf-env.xml"),
        (corpus!("not-an-environment.xml"), "root element"),
        (corpus!("latin1.xml"), "UTF-8"),
        (b"", "too early"),
        (b"<Environment/><Environment/>", "more than one root"),
        (b"<Environment></Umgebung>", "not XML"),
        (bomb.as_bytes(), "deep"),
        (many.as_bytes(), "more than 256"),
        (wide.as_bytes(), "attributes"),
        (&vec![b' '; (1 << 20) + 1], "1048576"),
    ];
    for (xml, expected) in cases {
        let problems = parse(xml).unwrap_err();
        assert!(problems[0].to_string().contains(expected), "{expected}: {problems:?}");
    }
}

#[test]
fn only_this_machines_properties_count_however_they_are_written() {
    let settings = parse(corpus!("entities-of-others.xml")).unwrap();
    assert_eq!(settings.host_name.unwrap().as_str(), "mine");
    assert!(settings.gateway.is_none());
    for (file, name) in [(corpus!("workstation.xml"), "lb3"), (corpus!("byte-order-mark-and-nul.xml"), "lb4")]
    {
        assert_eq!(parse(file).unwrap().host_name.unwrap().as_str(), name);
    }
}

#[test]
fn a_time_zone_and_a_time_server_count_in_any_letters() {
    let settings =
        with(&[("time_zone", "europe/berlin"), ("ntp", "NTP.hospital.example ntp.Hospital.example")]);
    assert!(settings.problems.is_empty(), "{:?}", settings.problems);
    let config = validate(initial_document(&settings)).unwrap();
    assert_eq!(config.time.ntp_servers.len(), 1);
    assert_eq!(config.document.time.as_ref().unwrap().zone.as_deref(), Some("Europe/Berlin"));
    let zone_alone = initial_document(&with(&[("time_zone", "Asia/Kolkata")]));
    assert!(zone_alone.time.unwrap().ntp_servers.is_empty());
}

proptest! {
    #[test]
    fn links_in_any_combination_lead_to_a_valid_configuration(
        members in "(eth[0-9]{1,2}|bond0|wlan0|[ ,;]){0,6}", mode in "(802.3ad|balance-rr|lacp|)",
        vlan in "(0|1|100|4094|4095|x|)", interface in "(eth[0-3]|bond0|eth0.1|)",
    ) {
        let given = [
            ("bond_members", members.as_str()),
            ("bond_mode", &mode),
            ("vlan_id", &vlan),
            ("management_interface", &interface),
        ];
        let settings = with(&given);
        prop_assert!(validate(initial_document(&settings)).is_ok(), "{:?}", settings);
    }

    #[test]
    fn a_document_damaged_anywhere_does_no_harm(place in 0..2_000_usize, byte in any::<u8>(), cut in any::<bool>()) {
        let mut xml = corpus!("vmware-all-given.xml").to_vec();
        let place = place % xml.len();
        xml[place] = byte;
        if cut {
            xml.truncate(place);
        }
        holds(&xml);
    }

    #[test]
    fn any_values_lead_to_a_valid_configuration(values in proptest::collection::vec("[ -~äß]{0,40}", KEYS.len())) {
        let properties: Vec<_> = KEYS.into_iter().zip(values.iter().map(String::as_str)).collect();
        prop_assert!(validate(initial_document(&with(&properties))).is_ok());
    }

    #[test]
    fn addresses_that_make_sense_lead_to_a_valid_configuration(
        address in any::<u32>(), prefix in 0..=33_u8, gateway in any::<u32>(), near in any::<bool>(),
    ) {
        let gateway = if near { address ^ (gateway & 0xff) } else { gateway };
        let address = format!("{}/{prefix}", Ipv4Addr::from_bits(address));
        let gateway = Ipv4Addr::from_bits(gateway).to_string();
        let settings = with(&[("ip_address", &address), ("gateway", &gateway)]);
        prop_assert!(validate(initial_document(&settings)).is_ok(), "{:?}", settings);
    }
}
