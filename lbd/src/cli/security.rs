//! `lbd security` and `lbd socket`: who may manage the appliance, and where its own services answer.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, Why, table, text};
use super::settings::Settings;
use crate::config::document::SecurityDocument;
use crate::view::{OpeningView, View};
use crate::web::{Restartable, Sockets};

const SECURITY_PATH: &str = "/api/v1/security";
const SOCKETS_PATH: &str = "/api/v1/sockets";

const SECURITY_EXAMPLES: &str = "A change is on trial for two minutes: lbd config confirm. Examples:
  lbd security show
  lbd security open
  lbd security set web_sources=192.168.10.0/24,10.1.2.3
  lbd security set web_sources=                         # from everywhere
  lbd security set mode=custom http=true";

const SOCKET_EXAMPLES: &str = "Examples:
  lbd socket show
  lbd socket set https_port=443
  lbd socket restart snmp";

#[derive(Debug, Args)]
#[command(after_help = SECURITY_EXAMPLES)]
pub(super) struct Security {
    #[command(subcommand)]
    verb: SecurityVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum SecurityVerb {
    /// The mode and what it allows
    Show,
    /// Which ports of the appliance itself are open, and to whom
    Open,
    /// Change settings: mode, api_tokens, http, http_port, web_sources
    Set {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
#[command(after_help = SOCKET_EXAMPLES)]
pub(super) struct Socket {
    #[command(subcommand)]
    verb: SocketVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum SocketVerb {
    /// Address and ports
    Show,
    /// Change them: interface, address, https_port, http_port, snmp_port, fallback_page_port
    Set {
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        why: Why,
    },
    /// Start a service anew; nothing that is balanced depends on it
    Restart {
        /// Which
        service: Restartable,
    },
}

pub(super) fn carry_out(Security { verb, common }: &Security) -> Result<(), CommandError> {
    match verb {
        SecurityVerb::Show => show(common, SECURITY_PATH, &security_lines),
        SecurityVerb::Open => {
            let view: View = Call::new(Method::GET, "/api/v1/status").send(&common.way)?.read()?;
            match common.json {
                true => println!("{}", serde_json::json!(view.openings)),
                false => print!("{}", openings(&view.openings)),
            }
            Ok(())
        }
        SecurityVerb::Set { settings, why } => {
            is_something(settings, "web_sources=192.168.10.0/24")?;
            let edit = |entry: &mut Value| settings.write::<SecurityDocument>(entry);
            super::edit_entry(common, SECURITY_PATH, why, edit)
        }
    }
}

pub(super) fn carry_out_socket(Socket { verb, common }: &Socket) -> Result<(), CommandError> {
    match verb {
        SocketVerb::Show => show(common, SOCKETS_PATH, &socket_lines),
        SocketVerb::Set { settings, why } => {
            is_something(settings, "https_port=443")?;
            let edit = |entry: &mut Value| settings.write::<Sockets>(entry);
            super::edit_entry(common, SOCKETS_PATH, why, edit)
        }
        SocketVerb::Restart { service } => {
            let path = format!("{SOCKETS_PATH}/{}/restart", service.word());
            Call::new(Method::POST, path).send(&common.way)?;
            println!("{} restarted. {}", service.name(), service.effect());
            Ok(())
        }
    }
}

fn is_something(settings: &Settings, example: &str) -> Result<(), CommandError> {
    match settings.is_empty() {
        true => Err(format!("nothing to change: give FIELD=VALUE, for example {example}").into()),
        false => Ok(()),
    }
}

fn show(common: &Common, path: &str, lines: &dyn Fn(&Value) -> Vec<[String; 2]>) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, path).send(&common.way)?;
    match common.json {
        true => println!("{}", answer.text),
        false => print!("{}", table(["SETTING", "VALUE"], &lines(&answer.read()?))),
    }
    Ok(())
}

fn security_lines(security: &Value) -> Vec<[String; 2]> {
    let or = |field: &str, usual: &str| {
        let told = text(security, field);
        [field.to_owned(), if told.is_empty() { usual.to_owned() } else { told }]
    };
    let sources = security["web_sources"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let sources = sources.collect::<Vec<_>>().join(", ");
    let sources = if sources.is_empty() { "everywhere".to_owned() } else { sources };
    vec![
        or("mode", "secure"),
        or("api_tokens", "true"),
        or("http", "false"),
        or("http_port", "9080"),
        ["web_sources".to_owned(), sources],
        ["ssh".to_owned(), "not built yet".to_owned()],
    ]
}

fn socket_lines(sockets: &Value) -> Vec<[String; 2]> {
    let fields = ["interface", "address", "https_port", "http_port", "snmp_port", "fallback_page_port"];
    fields.map(|field| [field.to_owned(), text(sockets, field)]).into()
}

fn openings(openings: &[OpeningView]) -> String {
    let row = |opening: &OpeningView| {
        let from = if opening.sources.is_empty() { "everywhere".into() } else { opening.sources.join(", ") };
        let place = format!("{}, port {}/{}", opening.address, opening.port, opening.transport);
        [opening.service.clone(), place, opening.interface.clone(), from]
    };
    let rows: Vec<_> = openings.iter().map(row).collect();
    table(["SERVICE", "ANSWERS AT", "OVER", "TO"], &rows)
        + "Clients reach the virtual services besides (lbd service list); every address answers ping. Nothing else answers.\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reaches_what_is_told_in_a_line_each() {
        let opening = OpeningView {
            service: "SNMP".into(),
            transport: "udp".into(),
            address: [192, 168, 10, 10].into(),
            port: 161,
            interface: "eth0".into(),
            sources: vec!["10.1.0.0/16".into()],
        };
        let told = openings(&[opening]);
        assert!(told.contains("SNMP     192.168.10.10, port 161/udp  eth0  10.1.0.0/16\n"), "{told}");
    }

    #[test]
    fn what_is_not_written_is_told_all_the_same() {
        let lines = security_lines(&serde_json::json!({"http": true}));
        assert_eq!(lines[0], ["mode", "secure"]);
        assert_eq!(lines[2], ["http", "true"]);
        assert_eq!(lines[4], ["web_sources", "everywhere"]);
    }
}
