//! Maintenance > Tools: ping, traceroute, TCP connect test, DICOM C-ECHO, DNS look-up, the neighbour table.

use askama::Template;
use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::ask::Ask;
use crate::config::AeTitle;
use crate::tools::{self, Finding, Tool, USUAL_CALLING};
use crate::web::Role;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;

/// Where it is; operators may send its form too.
pub(in crate::web) const PATH: &str = "/maintenance/tools";

/// Echo requests of one ping: somebody waits for the page.
const REQUESTS: u16 = 4;
/// What is sent in the form, and how it is called.
const TOOLS: [(&str, &str); 6] = [
    ("ping", "Ping (four echo requests)"),
    ("traceroute", "Traceroute (up to 15 seconds)"),
    ("connect", "TCP connect test (needs a port)"),
    ("dicom-echo", "DICOM C-ECHO (port, AE title)"),
    ("dns", "DNS look-up (name or address)"),
    ("neighbours", "Neighbour table (needs no host)"),
];

/// The page.
pub(super) fn routes() -> Router<crate::web::Gateway> {
    Router::new().route(PATH, get(show).post(carry_out))
}

#[derive(Template)]
#[template(path = "cluster/tools.html")]
struct Page {
    frame: Frame,
    may_use: bool,
    tools: [(&'static str, &'static str); 6],
    typed: Typed,
    fault: Fault,
    finding: Option<Finding>,
}

/// What kept a tool from being tried.
#[derive(Debug, Default, PartialEq, Eq)]
struct Fault {
    /// The field to correct, by its name; empty where none is wrong.
    field: &'static str,
    /// In sentences; empty where there is none.
    words: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    tool: String,
    #[serde(default)]
    host: String,
    #[serde(default)]
    port: String,
    #[serde(default)]
    called: String,
}

impl Typed {
    /// What is wanted; the error says what to correct.
    fn tool(&self) -> Result<Tool, Fault> {
        let host = || {
            tools::host(&self.host).map_err(|remedy| Fault {
                field: "host",
                words: format!("The host is not understood: {remedy}."),
            })
        };
        Ok(match self.tool.as_str() {
            "ping" => Tool::Ping { host: host()?, count: REQUESTS },
            "traceroute" => Tool::Traceroute { host: host()? },
            "connect" => Tool::Connect { host: host()?, port: self.port()? },
            "dicom-echo" => Tool::Echo {
                host: host()?,
                port: self.port()?,
                calling: title(USUAL_CALLING)?,
                called: title(&self.called)?,
            },
            "dns" => Tool::LookUp { name: host()? },
            "neighbours" => Tool::Neighbours,
            _ => return Err(Fault { field: "tool", words: "Choose a tool.".into() }),
        })
    }

    fn port(&self) -> Result<u16, Fault> {
        let port = self.port.trim().parse().ok().filter(|port| *port != 0);
        port.ok_or_else(|| Fault {
            field: "port",
            words: "The port is not understood: give 1 to 65535, for example 104.".into(),
        })
    }
}

fn title(text: &str) -> Result<AeTitle, Fault> {
    AeTitle::try_from(text).map_err(|fault| Fault {
        field: "called",
        words: format!("The called AE title is not understood: {}; {}.", fault.problem, fault.remedy),
    })
}

async fn show(ask: Ask) -> Response {
    page(ask, StatusCode::OK, Typed::default(), Fault::default(), None)
}

async fn carry_out(ask: Ask, Form(typed): Form<Typed>) -> Response {
    let tool = match typed.tool() {
        Ok(tool) => tool,
        Err(fault) => return page(ask, StatusCode::UNPROCESSABLE_ENTITY, typed, fault, None),
    };
    match ask.gateway.try_tool(&ask.caller, &tool).await {
        Ok(finding) => page(ask, StatusCode::OK, typed, Fault::default(), Some(finding)),
        Err(problem) => {
            let fault = Fault { field: "", words: problem.sentences() };
            page(ask, problem.status(), typed, fault, None)
        }
    }
}

fn page(ask: Ask, status: StatusCode, typed: Typed, fault: Fault, finding: Option<Finding>) -> Response {
    let may_use = ask.caller.role >= Role::Operator;
    page_of(status, &Page { frame: ask.frame, may_use, tools: TOOLS, typed, fault, finding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_asks_for_what_it_needs() {
        let typed = |tool: &str, host: &str, port: &str| Typed {
            tool: tool.into(),
            host: host.into(),
            port: port.into(),
            called: "DW SCP ".into(),
        };
        let wrong = |typed: Typed| typed.tool().unwrap_err().field;
        assert_eq!(wrong(typed("ping", "", "")), "host");
        assert_eq!(wrong(typed("traceroute", " ", "")), "host");
        assert_eq!(wrong(typed("connect", "pacs", "0")), "port");
        assert_eq!(
            typed("connect", "pacs", "104").tool(),
            Ok(Tool::Connect { host: "pacs".into(), port: 104 })
        );
        let titles = ["LOADBALANCER", "DW SCP"].map(|title| AeTitle::try_from(title).unwrap());
        let [calling, called] = titles;
        assert_eq!(
            typed("dicom-echo", "pacs", "104").tool(),
            Ok(Tool::Echo { host: "pacs".into(), port: 104, calling, called })
        );
        let nobody = Typed { called: "  ".into(), ..typed("dicom-echo", "pacs", "104") };
        assert_eq!(wrong(nobody), "called");
        assert_eq!(typed("neighbours", "", "").tool(), Ok(Tool::Neighbours));
        assert_eq!(wrong(typed("", "pacs", "")), "tool");
    }
}
