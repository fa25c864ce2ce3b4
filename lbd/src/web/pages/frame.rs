//! What every page has around its content: menu, host name, theme, what the administrator must know at once.

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, REFERER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use std::convert::Infallible;

use super::menu::{MENU, Section};
use super::update;
use super::words::time;
use crate::update::is_development_build;
use crate::view::View;
use crate::web::{Caller, Gateway, Role};

/// The cookie that keeps the choice of colours; it holds no secret.
pub(in crate::web) const THEME_COOKIE: &str = "theme";

/// Light or dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::web) enum Theme {
    /// As the system of the reader has it.
    #[default]
    Automatic,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// As cookie and style sheet name it.
    pub(in crate::web) fn name(self) -> &'static str {
        match self {
            Self::Automatic => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The one of this name; anything else is automatic.
    pub(in crate::web) fn named(name: &str) -> Self {
        [Self::Light, Self::Dark].into_iter().find(|theme| theme.name() == name).unwrap_or_default()
    }

    fn chosen(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs
            .filter(|(name, _)| *name == THEME_COOKIE)
            .map(|(_, value)| Self::named(value))
            .next()
            .unwrap_or_default()
    }
}

/// What surrounds the content of a page.
#[derive(Clone)]
pub(in crate::web) struct Frame {
    /// Path and query of the page, to come back to.
    pub(in crate::web) here: String,
    /// Path of the page, to mark it in the menu.
    pub(in crate::web) path: String,
    /// Name of the appliance; empty where nobody is logged in.
    pub(in crate::web) host_name: String,
    /// The choice of colours.
    pub(in crate::web) theme: Theme,
    /// Whether the menu is shown.
    pub(in crate::web) has_menu: bool,
    /// Who looks; `None` where nobody is logged in.
    pub(in crate::web) caller: Option<Caller>,
    /// What is said of a configuration on trial; the overview says it itself.
    pub(in crate::web) trial: Option<Trial>,
    /// What is said of a certificate on trial; its own page says it itself.
    pub(in crate::web) certificate_trial: Option<String>,
    /// Every page says that this is no release.
    pub(in crate::web) is_development_build: bool,
    /// A newer version that can be had; its own page says it itself.
    pub(in crate::web) news: Option<String>,
}

impl Frame {
    /// For who may see nothing of the appliance.
    pub(in crate::web) fn bare() -> Self {
        let (here, path, host_name) = Default::default();
        let theme = Theme::Automatic;
        let (has_menu, caller) = (false, None);
        let is_development_build = is_development_build();
        let (trial, certificate_trial, news) = (None, None, None);
        Self {
            here,
            path,
            host_name,
            theme,
            has_menu,
            caller,
            trial,
            certificate_trial,
            is_development_build,
            news,
        }
    }

    /// Who looks, and as what; empty where nobody is logged in.
    pub(in crate::web) fn who(&self) -> String {
        let caller = self.caller.as_ref();
        caller.map(|caller| format!("{} ({})", caller.user, caller.role)).unwrap_or_default()
    }

    /// Whether who looks may change everything.
    pub(in crate::web) fn is_administrator(&self) -> bool {
        self.caller.as_ref().is_some_and(|caller| caller.role == Role::Administrator)
    }

    /// For templates.
    pub(in crate::web) fn menu(&self) -> &'static [Section] {
        if self.has_menu { MENU } else { &[] }
    }

    /// Whether a page of the menu is the one shown, or the one above it.
    pub(in crate::web) fn is_here(&self, path: &str) -> bool {
        self.path == path
            || (path != "/" && self.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    }

    /// Whether a section of the menu holds the page shown.
    pub(in crate::web) fn is_within(&self, section: &Section) -> bool {
        section.pages.iter().any(|item| self.is_here(item.path))
    }
}

impl FromRequestParts<Gateway> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Infallible> {
        let path = match parts.uri.path() {
            "/lbadmin/" | "/lbadmin" => "/",
            path => path,
        };
        let latest = gateway.latest();
        let (view, source) = (&latest.view, latest.online_updates.as_deref());
        let news = gateway.updates().online().news(source).filter(|_| path != update::PAGE);
        Ok(Self {
            here: here(parts).to_owned(),
            path: path.to_owned(),
            host_name: view.host_name.clone(),
            theme: Theme::chosen(&parts.headers),
            has_menu: true,
            caller: parts.extensions.get().cloned(),
            trial: trial(view).filter(|_| path != "/"),
            certificate_trial: certificate_trial(gateway),
            is_development_build: is_development_build(),
            news: news.map(Into::into),
        })
    }
}

/// The page to come back to. The answer to a form is no page of its own: the page that the form stood on is.
fn here(parts: &Parts) -> &str {
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return parts.uri.path_and_query().map_or("/", |whole| whole.as_str());
    }
    let referrer = parts.headers.get(REFERER).and_then(|value| value.to_str().ok());
    let path = referrer.and_then(|address| {
        let (_, rest) = address.split_once("://")?;
        rest.find('/').map(|at| &rest[at..])
    });
    local_path(path.unwrap_or("/"))
}

/// A configuration on trial.
#[derive(Clone)]
pub(in crate::web) struct Trial {
    /// Its version, for the verdict.
    pub(in crate::web) version: u64,
    /// Until when, and whose it is.
    pub(in crate::web) words: String,
}

/// What is said of a configuration on trial.
pub(super) fn trial(view: &View) -> Option<Trial> {
    let pending = view.pending_confirmation.as_ref()?;
    let words = format!(
        "Configuration version {} of {} is on trial: it is taken back at {} unless it is confirmed.",
        pending.version,
        pending.by,
        time(pending.until)
    );
    Some(Trial { version: pending.version, words })
}

fn certificate_trial(gateway: &Gateway) -> Option<String> {
    let until = gateway.certificates().status()?.confirm_until?;
    Some(format!("A certificate is on trial: it is taken back at {} unless it is confirmed.", time(until)))
}

/// A path on this appliance to go back to; anything else is the overview.
pub(in crate::web) fn local_path(path: &str) -> &str {
    let is_plain = !path.contains(|c: char| c == '\\' || c.is_control());
    let is_local = path.starts_with('/') && !path.starts_with("//") && is_plain;
    if is_local { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_to_pages_of_this_appliance_only() {
        for path in ["https://elsewhere/", "//elsewhere/", "/\\elsewhere", "", "page"] {
            assert_eq!(local_path(path), "/");
        }
        assert_eq!(local_path("/cluster/services?x=1"), "/cluster/services?x=1");
    }

    #[test]
    fn the_answer_to_a_form_leads_back_to_the_forms_page() {
        let here_of = |method: &str, referrer: &str| {
            let request =
                axum::http::Request::builder().method(method).uri("/password/users/ann/password?x=1");
            let request = request.header(REFERER, referrer).body(()).unwrap();
            here(&request.into_parts().0).to_owned()
        };
        assert_eq!(here_of("GET", "https://lb:9443/other"), "/password/users/ann/password?x=1");
        assert_eq!(here_of("POST", "https://lb:9443/password/users?y=2"), "/password/users?y=2");
        for odd in ["", "lb", "https://lb", "https://lb//evil.example/"] {
            assert_eq!(here_of("POST", odd), "/", "{odd}");
        }
    }

    #[test]
    fn the_theme_is_read_from_its_cookie_alone() {
        let chosen = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, text.parse().unwrap());
            Theme::chosen(&headers)
        };
        assert_eq!(chosen("a=b; theme=dark"), Theme::Dark);
        assert_eq!(chosen("mytheme=dark"), Theme::Automatic);
        assert_eq!(chosen("theme=\"><script>"), Theme::Automatic);
    }
}
