//! Rules of `[security]`, and of the ports of the appliance's own services.

use super::sources::sources;
use super::{Collector, port};
use crate::config::document::SecurityDocument;
use crate::config::security::{Security, SecurityMode};
use crate::config::values::{Fault, quoted};
use crate::config::{Layer4, Management};

/// Port table of the product's specification.
const HTTP_PORT: u16 = 9080;

/// Which ways to manage the appliance are open, if the section follows the rules.
pub(super) fn security(check: &mut Collector, document: &SecurityDocument) -> Option<Security> {
    let mode = match document.mode.as_deref() {
        None | Some("secure") => Some(SecurityMode::Secure),
        Some("custom") => Some(SecurityMode::Custom),
        Some(other) => {
            let problem = format!("the mode {} is not known", quoted(other));
            check.report("security.mode", Fault::new(problem, "use \"secure\" or \"custom\""));
            None
        }
    };
    let http_port = match document.http_port {
        Some(value) => check.take("security.http_port", port(value)),
        None => Some(HTTP_PORT),
    };
    let web_sources = sources(check, "security.web_sources", &document.web_sources);
    let mode = mode?;
    if mode == SecurityMode::Secure {
        is_secure(check, document);
    }
    Some(Security {
        mode,
        api_tokens: document.takes_tokens(),
        http_port: Some(http_port?).filter(|_| document.http == Some(true)),
        web_sources: web_sources?,
    })
}

/// A setting that the mode overrules would be silently without effect.
fn is_secure(check: &mut Collector, document: &SecurityDocument) {
    if document.http == Some(true) {
        let fault =
            Fault::new("there is no HTTP in the mode \"secure\"", "remove it, or use the mode \"custom\"");
        check.report("security.http", fault);
    }
    if !document.takes_tokens() {
        let problem = "API tokens count in the mode \"secure\"";
        let fault = Fault::new(problem, "remove it, or use the mode \"custom\" to refuse them");
        check.report("security.api_tokens", fault);
    }
}

/// Two services cannot listen on one port; that of lbd's own answers listens on every address.
pub(super) fn ports_differ(
    check: &mut Collector,
    management: &Management,
    layer4: &Layer4,
    security: &Security,
) {
    let taken = [
        ("management.https_port", Some(management.https_port), "the WebUI over HTTPS"),
        ("security.http_port", security.http_port, "the WebUI over HTTP"),
        ("layer4.fallback_page_port", Some(layer4.fallback_page_port), "the fallback page"),
    ];
    for (index, (field, port, _)) in taken.iter().enumerate() {
        let Some(port) = port else { continue };
        let clash = taken[index + 1..].iter().find(|(_, other, _)| *other == Some(*port));
        if let Some((_, _, owner)) = clash {
            let fault =
                Fault::new(format!("port {port} is that of {owner}"), "give each service a port of its own");
            check.report(*field, fault);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(document: &SecurityDocument) -> (Option<Security>, Vec<String>) {
        let mut check = Collector::default();
        let security = security(&mut check, document);
        (security, check.problems.into_iter().map(|problem| problem.field).collect())
    }

    fn mode(mode: &str) -> SecurityDocument {
        SecurityDocument { mode: Some(mode.into()), ..SecurityDocument::default() }
    }

    #[test]
    fn nothing_given_is_the_mode_secure() {
        let (usual, problems) = told(&SecurityDocument::default());
        let usual = usual.unwrap();
        assert_eq!((usual.mode, usual.http_port, usual.api_tokens), (SecurityMode::Secure, None, true));
        assert!(usual.web_sources.is_empty() && problems.is_empty());
        assert_eq!(told(&mode("secure")).0, Some(usual));
    }

    #[test]
    fn in_the_mode_custom_each_way_is_chosen() {
        let (chosen, problems) = told(&SecurityDocument {
            http: Some(true),
            api_tokens: Some(false),
            web_sources: vec!["10.1.2.3".into(), "10.1.0.0/16".into()],
            ..mode("custom")
        });
        let chosen = chosen.unwrap();
        assert_eq!((chosen.http_port, chosen.api_tokens, problems.len()), (Some(9080), false, 0));
        assert!(chosen.lets_in([10, 1, 9, 9].into()) && chosen.lets_in([127, 0, 0, 1].into()));
        assert!(!chosen.lets_in([10, 2, 0, 1].into()));
    }

    #[test]
    fn each_mistake_is_named() {
        let secure = mode("secure");
        for (wrong, field) in [
            (mode("open"), "mode"),
            (SecurityDocument { http: Some(true), ..secure.clone() }, "http"),
            (SecurityDocument { api_tokens: Some(false), ..secure.clone() }, "api_tokens"),
            (SecurityDocument { http_port: Some(0), ..secure.clone() }, "http_port"),
            (SecurityDocument { web_sources: vec!["10.1.2.3/16".into()], ..secure }, "web_sources[0]"),
        ] {
            assert_eq!(told(&wrong).1, [format!("security.{field}")], "{wrong:?}");
        }
    }

    #[test]
    fn no_two_services_share_a_port() {
        let interface = crate::config::InterfaceName::try_from("eth0").unwrap();
        let management = |https_port| Management {
            interface: interface.clone(),
            address: [192, 168, 10, 10].into(),
            https_port,
        };
        let layer4 = |fallback_page_port| Layer4 {
            fast_path: true,
            snat_ports_warning_percent: 80,
            fallback_page_port,
        };
        let clashes = |https, http, fallback| {
            let mut check = Collector::default();
            let security = Security {
                mode: SecurityMode::Custom,
                api_tokens: true,
                http_port: http,
                web_sources: Vec::new(),
            };
            ports_differ(&mut check, &management(https), &layer4(fallback), &security);
            check.problems.into_iter().map(|problem| problem.field).collect::<Vec<_>>()
        };
        assert_eq!(clashes(9443, Some(9080), 9081), [""; 0]);
        assert_eq!(clashes(9443, None, 9080), [""; 0]);
        assert_eq!(clashes(9443, Some(9443), 9081), ["management.https_port"]);
        assert_eq!(clashes(9443, Some(9081), 9081), ["security.http_port"]);
    }
}
