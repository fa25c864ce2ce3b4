//! The pools of the guide: what is asked of each, and what the configuration becomes. Pure.

use serde_json::{Value, json};

use crate::config::document::HealthCheckDocument;
use crate::config::{Document, Problem, validate};
use crate::web::pages::cluster::field::{Field, Kind, parts, write_all};
use crate::web::pages::cluster::new_check::{CALLING, free_label};
use crate::web::pages::cluster::typed::Typed;

/// A pool of DoseWatch as the product's specification has it.
pub(super) struct Template {
    /// Before the names of its inputs.
    pub(super) prefix: &'static str,
    /// The heading of its inputs.
    pub(super) title: &'static str,
    /// As its health check is called.
    check: &'static str,
    /// As it is called where nobody wants it otherwise.
    label: &'static str,
    /// What is asked.
    pub(super) fields: [Field; 5],
}

const fn fields(
    label: &'static str,
    port: &'static str,
    title: &'static str,
    example: [&'static str; 2],
) -> [Field; 5] {
    [
        Field::text("address", "Virtual address")
            .example(example[0])
            .hint("A free address that the modalities send to.")
            .blank("this pool is not used"),
        Field::list("servers", "Real servers")
            .example(example[1])
            .hint("Addresses of the DoseWatch servers, with commas between them.")
            .blank("this pool is not used"),
        Field::number("port", "Port", "").usual(port).hint("Of the virtual address and of the servers."),
        Field::text("aec", "AE title of the servers (aec)")
            .usual(title)
            .hint("The next page shows whether the servers answer to it."),
        Field::text("label", "Label").usual(label).hint("The name of the virtual service."),
    ]
}

/// The three pools. The specification's AE titles of the second and the third look swapped: the servers will tell.
pub(super) const POOLS: [Template; 3] = [
    Template {
        prefix: "pool1.",
        title: "Pool 1: main DataLink listener",
        check: "DICOM-C_Echo-Check-VIP1",
        label: "DATALINK_POOL1",
        fields: fields(
            "DATALINK_POOL1",
            "2001",
            "DW_SCP",
            ["192.168.10.100", "192.168.10.110, 192.168.10.111"],
        ),
    },
    Template {
        prefix: "pool2.",
        title: "Pool 2: alternative listener (RDSR)",
        check: "DICOM-C_Echo-Check-VIP2",
        label: "DATALINK_POOL2",
        fields: fields("DATALINK_POOL2", "2003", "DW_MPPS_SCP", ["192.168.10.101", "192.168.10.112"]),
    },
    Template {
        prefix: "pool3.",
        title: "Pool 3: MPPS listener",
        check: "DICOM-C_Echo-Check-VIP3",
        label: "DATALINK_POOL3",
        fields: fields("DATALINK_POOL3", "2002", "DW_RDSR_SCP", ["192.168.10.102", "192.168.10.114"]),
    },
];

/// What is asked once.
pub(super) const COMMON: [Field; 1] = [Field::text("aet", "AE title of the appliance (aet)")
    .usual(CALLING)
    .hint("As whom it asks the servers; some servers have to know it.")];

impl Template {
    /// What to know about this pool before one fills it in.
    pub(super) fn lead(&self, document: &Document) -> String {
        let exists = document.virtual_service.iter().any(|service| service.label == self.label);
        let exists = exists.then(|| {
            format!(
                "{} is there already. Leave this blank to keep it as it is, or give another label.",
                self.label
            )
        });
        exists.unwrap_or_default()
    }
}

/// A pool that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    /// Of the virtual service.
    pub(super) label: String,
    /// The virtual address.
    pub(super) address: String,
    /// The port of clients and servers.
    pub(super) port: i64,
    /// Addresses of the servers.
    pub(super) servers: Vec<String>,
    /// Our AE title.
    pub(super) calling: String,
    /// The servers' AE title.
    pub(super) called: String,
    /// The input of that title.
    pub(super) title_input: String,
}

/// The configuration with the pools, valid.
#[derive(Debug)]
pub(super) struct Planned {
    /// The whole configuration.
    pub(super) document: Document,
    /// The pools in it.
    pub(super) pools: Vec<Pool>,
    /// What is new in it, each in a sentence.
    pub(super) lines: Vec<String>,
}

/// Adds the pools that were typed, or says everything that is wrong, each beside its input.
pub(super) fn with_pools(document: &Document, typed: &Typed) -> Result<Planned, Vec<Problem>> {
    let known_checks = document.health_check.len();
    let mut document = document.clone();
    let mut problems = Vec::new();
    let mut names = Names::default();
    let mut pools = Vec::new();
    for template in &POOLS {
        let Some(pool) = template.read(typed, &mut problems) else { continue };
        template.add(&pool, &mut document, &mut names);
        pools.push(pool);
    }
    if pools.is_empty() {
        problems.push(Problem {
            field: "pool1.address".into(),
            problem: "no pool is given".into(),
            remedy: "give the virtual address and the servers of at least one".into(),
        });
    }
    let further = validate(document.clone()).err().unwrap_or_default();
    problems.extend(further.into_iter().map(|problem| names.beside_its_input(problem)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let checks = document.health_check.iter().skip(known_checks).map(check_line);
    let lines = checks.chain(pools.iter().map(Pool::line)).collect();
    Ok(Planned { document, pools, lines })
}

fn check_line(check: &HealthCheckDocument) -> String {
    let [called, calling] =
        [&check.called_ae_title, &check.calling_ae_title].map(|title| title.as_deref().unwrap_or_default());
    format!("Health check {}: a DICOM C-ECHO to {called} as {calling}, every 5 s", check.label)
}

impl Pool {
    fn line(&self) -> String {
        let server = |(index, address)| format!("{}_NODE{} {address}", self.label, index + 1);
        let servers: Vec<_> = self.servers.iter().enumerate().map(server).collect();
        format!(
            "Virtual service {}: {}, port {}, TCP, source-IP persistence 300 s; real servers {}, port {}, weight 100",
            self.label,
            self.address,
            self.port,
            servers.join(" and "),
            self.port
        )
    }
}

impl Template {
    /// Nothing where the pool is left blank.
    fn read(&self, typed: &Typed, problems: &mut Vec<Problem>) -> Option<Pool> {
        let name = |field: &str| format!("{}{field}", self.prefix);
        if ["address", "servers"].iter().all(|field| typed.text(&name(field)).is_empty()) {
            return None;
        }
        let mut entry = json!({});
        problems.extend(write_all(&self.fields, typed, self.prefix, &mut entry));
        let shown = |path: &str, fields: &[Field], entry: &Value| {
            fields.iter().find(|field| field.path == path).map(|field| field.shown(entry)).unwrap_or_default()
        };
        let of = |path: &str| shown(path, &self.fields, &entry);
        let calling = typed.of("aet", Kind::Text).filter(|title| !title.is_empty());
        Some(Pool {
            label: of("label"),
            address: of("address"),
            port: of("port").parse().unwrap_or_default(),
            servers: parts(&of("servers")).into_iter().map(str::to_owned).collect(),
            calling: calling.unwrap_or_else(|| CALLING.to_owned()),
            called: of("aec"),
            title_input: name("aec"),
        })
    }

    fn add(&self, pool: &Pool, document: &mut Document, names: &mut Names) {
        let check = HealthCheckDocument {
            kind: "dicom-c-echo".into(),
            calling_ae_title: Some(pool.calling.clone()),
            called_ae_title: Some(pool.called.clone()),
            ..HealthCheckDocument::default()
        };
        let same = document
            .health_check
            .iter()
            .find(|known| HealthCheckDocument { label: String::new(), ..(*known).clone() } == check);
        let check_label = match same {
            Some(known) => known.label.clone(),
            None => {
                let label = free_label(document, self.check);
                let at = format!("health_check[{}]", document.health_check.len());
                names.add(format!("{at}.calling_ae_title"), "aet".into());
                names.add(format!("{at}.called_ae_title"), pool.title_input.clone());
                document.health_check.push(HealthCheckDocument { label: label.clone(), ..check });
                label
            }
        };
        let at = format!("virtual_service[{}]", document.virtual_service.len());
        let inputs =
            [("label", "label"), ("addresses", "address"), ("ports", "port"), ("real_server", "servers")];
        for (field, input) in inputs {
            names.add(format!("{at}.{field}"), format!("{}{input}", self.prefix));
        }
        document.virtual_service.push(service(pool, &check_label));
    }
}

fn service(pool: &Pool, check: &str) -> crate::config::document::VirtualServiceDocument {
    let server = |(index, address): (usize, &String)| json!({"label": format!("{}_NODE{}", pool.label, index + 1), "address": address, "port": pool.port});
    let addresses: Vec<_> = Some(&pool.address).into_iter().filter(|address| !address.is_empty()).collect();
    let service = json!({
        "label": pool.label,
        "addresses": addresses,
        "ports": pool.port.to_string(),
        "protocol": "tcp",
        "health_check": check,
        "persistence": {"enabled": true, "timeout_seconds": 300},
        "real_server": pool.servers.iter().enumerate().map(server).collect::<Vec<_>>(),
    });
    serde_json::from_value(service).expect("the settings that the document knows")
}

/// Which input a field of the configuration came from.
#[derive(Debug, Default)]
struct Names(Vec<(String, String)>);

impl Names {
    fn add(&mut self, field: String, input: String) {
        self.0.push((field, input));
    }

    fn beside_its_input(&self, problem: Problem) -> Problem {
        let found = self.0.iter().find(|(field, _)| {
            problem
                .field
                .strip_prefix(field.as_str())
                .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
        });
        match found {
            Some((_, input)) => Problem { field: input.clone(), ..problem },
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    const EXAMPLE: &str = include_str!("../../../../../../examples/datalink.toml");

    fn example() -> Document {
        Document::parse(EXAMPLE, Format::Toml).unwrap()
    }

    fn empty() -> Document {
        Document { virtual_service: Vec::new(), health_check: Vec::new(), ..example() }
    }

    const THREE: [(&str, &str); 6] = [
        ("pool1.address", "192.168.10.100"),
        ("pool1.servers", "192.168.10.110 192.168.10.111"),
        ("pool2.address", "192.168.10.101"),
        ("pool2.servers", "192.168.10.112"),
        ("pool3.address", "192.168.10.102"),
        ("pool3.servers", "192.168.10.114"),
    ];

    #[test]
    fn the_standard_pools_become_the_shipped_example() {
        let planned = with_pools(&empty(), &Typed::new(&THREE)).unwrap();
        let config = validate(planned.document).unwrap();
        let mut expected = validate(example()).unwrap();
        expected.document = config.document.clone();
        assert_eq!(config, expected);
    }

    #[test]
    fn a_pool_beside_others_shares_their_check_where_it_asks_the_same() {
        let typed = Typed::new(&[
            ("pool1.address", "192.168.10.130"),
            ("pool1.servers", "192.168.10.131"),
            ("pool1.label", "SECOND"),
            ("pool1.aec", "PACS"),
        ]);
        let planned = with_pools(&example(), &typed).unwrap();
        let service = planned.document.virtual_service.last().unwrap();
        assert_eq!(
            (service.label.as_str(), service.health_check.as_str()),
            ("SECOND", "DICOM-C_Echo-Check-VIP1-2")
        );
        let again = typed.with("pool1.label", "THIRD").with("pool1.address", "192.168.10.140");
        let planned = with_pools(&planned.document, &again).unwrap();
        assert_eq!(planned.document.health_check.len(), 4);
    }

    #[test]
    fn mistakes_stand_beside_the_inputs_in_which_they_were_made() {
        let typed = Typed::new(&THREE)
            .with("pool1.servers", "192.168.10.110, 192.168.10.300")
            .with("pool2.address", "192.168.10.10")
            .with("pool2.aec", "A_TITLE_THAT_IS_TOO_LONG")
            .with("pool3.servers", "")
            .with("pool3.port", "dicom")
            .with("aet", "a\\b");
        let problems = with_pools(&empty(), &typed).unwrap_err();
        let fields: std::collections::BTreeSet<_> = problems.iter().map(|p| p.field.as_str()).collect();
        for field in ["pool1.servers", "pool2.aec", "pool3.servers", "pool3.port", "aet"] {
            assert!(fields.contains(field), "{field}: {problems:#?}");
        }
        let management = Typed::new(&THREE).with("pool2.address", "192.168.10.10");
        assert_eq!(with_pools(&empty(), &management).unwrap_err()[0].field, "pool2.address");
        assert_eq!(with_pools(&empty(), &Typed::default()).unwrap_err()[0].field, "pool1.address");
        assert_eq!(with_pools(&example(), &Typed::new(&THREE)).unwrap_err()[0].field, "pool1.label");
    }
}
