//! Who asks for a change must not be locked out by it.

use std::net::IpAddr;

use super::Engine;
use crate::config::{Config, Problem};
use crate::store::Author;
use crate::traffic::openings::{Opening, openings};
use crate::view::OpeningView;

/// What is wrong with a configuration that would keep out the very administrator who asks for it. Who sits at the appliance
/// has no address and cannot be kept out; who is not let in already has nothing to lose.
pub(super) fn locks_out(old: &Config, new: &Config, by: &Author) -> Option<Problem> {
    let asker: IpAddr = by.from.parse().ok()?;
    (old.security.lets_in(asker) && !new.security.lets_in(asker)).then(|| Problem {
        field: "security.web_sources".into(),
        problem: format!("you come from {asker}, and would not reach WebUI and API any more"),
        remedy: format!(
            "add {asker} or its network, or make this change from one of the networks that stay, or at the console"
        ),
    })
}

impl Engine {
    /// What of the appliance itself is open, as the rules have it.
    pub(super) fn opening_views(&self) -> Vec<OpeningView> {
        openings(&self.config).iter().map(view).collect()
    }
}

fn view(opening: &Opening) -> OpeningView {
    OpeningView {
        service: opening.service.name().to_owned(),
        transport: opening.service.transport().to_owned(),
        address: opening.address.into(),
        port: opening.port,
        interface: opening.interface.to_string(),
        sources: opening.sources.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Format, validate};

    const EXAMPLE: &str = include_str!("../../../examples/datalink.toml");

    fn config(sources: &str) -> Config {
        let text = format!("{EXAMPLE}\n[security]\nweb_sources = [{sources}]\n");
        validate(Document::parse(&text, Format::Toml).unwrap()).unwrap()
    }

    fn author(from: &str) -> Author {
        Author { user: "ann".into(), from: from.into() }
    }

    #[test]
    fn who_would_be_locked_out_is_told_and_nobody_else() {
        let (open, shut) = (config(""), config("\"10.1.0.0/16\""));
        let told = locks_out(&open, &shut, &author("10.2.3.4")).unwrap();
        assert!(told.field == "security.web_sources" && told.problem.contains("10.2.3.4"), "{told}");
        for at_ease in ["10.1.2.3", "127.0.0.1", "local socket"] {
            assert_eq!(locks_out(&open, &shut, &author(at_ease)), None, "{at_ease}");
        }
        assert_eq!(locks_out(&shut, &shut, &author("10.2.3.4")), None, "out already");
        assert_eq!(locks_out(&shut, &open, &author("10.2.3.4")), None);
    }
}
