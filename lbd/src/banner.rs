//! What the log says when lbd has started: what this is, and where to go from here.

use crate::config::Config;
use crate::web::users::FIRST_USER;

/// A line each. An appliance has no shell in which a password could be set.
pub fn lines(config: &Config, password_is_set: bool, is_appliance: bool) -> Vec<String> {
    let management = &config.management;
    let address = format!("https://{}:{}/", management.address, management.https_port);
    let mut lines = vec![format!("Evenkeel {}, load balancer", env!("CARGO_PKG_VERSION"))];
    match password_is_set {
        true => lines.push(format!("WebUI: {address} (user {FIRST_USER})")),
        false => {
            lines.push(format!("WebUI: {address}, locked: no password is set"));
            lines.push(match is_appliance {
                true => "Log in at the appliance's console as setup, with the password setup.".to_owned(),
                false => "Set one with `lbd set-password`.".to_owned(),
            });
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::validate;
    use crate::zero_touch::{Settings, initial_document};

    #[test]
    fn a_fresh_appliance_says_where_it_is_and_that_it_is_locked() {
        let config = validate(initial_document(&Settings::default())).unwrap();
        let text = lines(&config, false, true).join("\n");
        assert!(text.contains("https://192.168.2.21:9443/") && text.contains("no password"), "{text}");
        assert!(text.contains("as setup") && !text.contains("lbd set-password"), "{text}");
        assert!(lines(&config, false, false).join("\n").contains("lbd set-password"));
        assert!(!lines(&config, true, true).join("\n").contains("locked"));
    }
}
