//! What the clients of a service meet, and which page they are shown. Pure.

use std::net::SocketAddr;

use crate::config::document::VirtualServiceDocument;
use crate::config::{Document, Fallback, Ports};

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

/// What clients of the service at `place` meet, which the kernel has redirected. The kernel may know of a service a moment
/// before or longer than `document`: then a modality is told to try again, and whoever speaks something else is let go.
pub fn fallback_at(document: &Document, place: SocketAddr) -> Fallback {
    let chosen = service_at(document, place).map(|service| Fallback::try_from(service.fallback.as_deref()));
    chosen.and_then(Result::ok).unwrap_or(Fallback::DicomReject)
}

/// The page of the service at `place`; the usual one where it has none, or is not known any more.
pub fn page_at(document: &Document, place: SocketAddr) -> String {
    let page = service_at(document, place).and_then(|service| service.fallback_page.clone());
    page.unwrap_or_else(|| USUAL.to_owned())
}

/// Of two services at one place, one over UDP, that over TCP.
fn service_at(document: &Document, place: SocketAddr) -> Option<&VirtualServiceDocument> {
    document
        .virtual_service
        .iter()
        .find(|known| known.protocol.as_deref() != Some("udp") && is_at(known, place))
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
    fn each_service_has_its_own_answer_at_its_own_places() {
        let text = include_str!("../../../examples/datalink.toml");
        let mut document = Document::parse(text, Format::Toml).unwrap();
        let mut over_udp = document.virtual_service[0].clone();
        let service = &mut document.virtual_service[0];
        service.addresses.push("fd00::100".into());
        service.ports = "80,8080-8090".into();
        service.fallback = Some("http-page".into());
        service.fallback_page = Some("Call 4711.".into());
        let vip = service.addresses[0].clone();
        (over_udp.ports, over_udp.protocol, over_udp.fallback) = ("80".into(), Some("udp".into()), None);
        document.virtual_service.insert(0, over_udp);
        let met = |place: &str| {
            let place = place.parse().unwrap();
            (fallback_at(&document, place), page_at(&document, place))
        };
        for place in [format!("{vip}:80"), format!("{vip}:8085"), "[fd00::100]:80".to_owned()] {
            assert_eq!(met(&place), (Fallback::HttpPage, "Call 4711.".into()), "{place}");
        }
        for place in [format!("{vip}:81"), "192.0.2.1:80".to_owned()] {
            assert_eq!(met(&place), (Fallback::DicomReject, USUAL.into()), "{place}");
        }
        document.virtual_service[1].fallback = None;
        let place = format!("{vip}:80").parse().unwrap();
        assert_eq!(fallback_at(&document, place), Fallback::Refuse);
    }

    #[test]
    fn text_is_told_from_html() {
        assert!(media_type(USUAL).starts_with("text/html"));
        assert!(media_type("\n <p>x").starts_with("text/html"));
        assert!(media_type("Call 4711 <now>").starts_with("text/plain"));
    }
}
