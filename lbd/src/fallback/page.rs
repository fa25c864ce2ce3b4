//! Which page a client is shown. Pure.

use std::net::SocketAddr;

use crate::config::document::VirtualServiceDocument;
use crate::config::{Document, Ports};

/// The longest page of a user's, in bytes: one with a small picture in it.
pub const LONGEST: usize = 64 << 10;

/// Shown where the user has none. It names nothing of what is inside.
const USUAL: &str = "<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Not available at the moment</title></head>
<body><h1>Not available at the moment</h1>
<p>The service that you asked for has no server that could answer. Nothing is wrong with your computer.</p>
<p>Try again in a minute. If it stays so, tell your administrator that the load balancer has no server left for it.</p>
</body></html>
";

/// The page of the service that is reached at `place`; the usual one where it has none, or is not known any more.
pub fn page_for(document: &Document, place: Option<SocketAddr>) -> String {
    let service = place.and_then(|place| document.virtual_service.iter().find(|known| is_at(known, place)));
    service.and_then(|service| service.fallback_page.clone()).unwrap_or_else(|| USUAL.to_owned())
}

fn is_at(service: &VirtualServiceDocument, place: SocketAddr) -> bool {
    let has_address = service.addresses.iter().any(|address| address.parse() == Ok(place.ip()));
    let ports = || Ports::try_from(service.ports.as_str());
    has_address && ports().is_ok_and(|ports| ports.ranges().iter().any(|range| range.contains(&place.port())))
}

/// The media type of a page: HTML begins with a tag.
pub fn media_type(page: &str) -> &'static str {
    match page.trim_start().starts_with('<') {
        true => "text/html; charset=utf-8",
        false => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    #[test]
    fn each_service_shows_its_own_page_at_its_own_places() {
        let text = include_str!("../../../examples/datalink.toml");
        let mut document = Document::parse(text, Format::Toml).unwrap();
        let service = &mut document.virtual_service[0];
        service.addresses.push("fd00::100".into());
        service.ports = "80,8080-8090".into();
        service.fallback_page = Some("Call 4711.".into());
        let vip = service.addresses[0].clone();
        let shown = |place: &str| page_for(&document, place.parse().ok());
        for place in [format!("{vip}:80"), format!("{vip}:8085"), "[fd00::100]:80".to_owned()] {
            assert_eq!(shown(&place), "Call 4711.", "{place}");
        }
        for place in [format!("{vip}:81"), "192.0.2.1:80".to_owned(), String::new()] {
            assert_eq!(shown(&place), USUAL, "{place}");
        }
    }

    #[test]
    fn text_is_told_from_html() {
        assert!(media_type(USUAL).starts_with("text/html"));
        assert!(media_type("\n <p>x").starts_with("text/html"));
        assert!(media_type("Call 4711 <now>").starts_with("text/plain"));
    }
}
