//! What each state looks like on the System Overview: its icon, its word and its colour, in light and dark.

use std::collections::BTreeMap;

use lab::browser::{Browser, Colours};
use lab::{Lab, Pool};

/// What the eye takes in of a state.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    word: String,
    icon: String,
    colour: Hue,
}

/// Colours as people name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hue {
    Green,
    Yellow,
    Red,
    Blue,
    Grey,
}

impl Hue {
    /// Of `rgb(...)` or `rgba(...)` in CSS.
    fn of(colour: &str) -> Self {
        let numbers = colour.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|part| !part.is_empty());
        let [r, g, b]: [f64; 3] = numbers
            .take(3)
            .map(|part| part.parse().expect("a number"))
            .collect::<Vec<_>>()
            .try_into()
            .expect("three");
        let (most, least) = (r.max(g).max(b), r.min(g).min(b));
        if most - least < 0.25 * most {
            return Self::Grey;
        }
        let sector = match most {
            most if most == r => 60.0 * (g - b) / (most - least),
            most if most == g => 60.0 * (b - r) / (most - least) + 120.0,
            _ => 60.0 * (r - g) / (most - least) + 240.0,
        };
        match sector.rem_euclid(360.0) {
            20.0..70.0 => Self::Yellow,
            70.0..180.0 => Self::Green,
            180.0..260.0 => Self::Blue,
            _ => Self::Red,
        }
    }
}

/// Row of a service, or of a server `SERVICE/SERVER`.
fn row(place: &str) -> String {
    if place.contains('/') {
        format!("tr[id='s-{place}']")
    } else {
        format!("tbody[id='s-{place}'] tr:first-child")
    }
}

fn look(browser: &Browser, row: &str) -> Look {
    let state = format!("{row} .state");
    let icon = format!("getComputedStyle(document.querySelector(\"{state}\"), '::before').maskImage");
    Look {
        word: browser.text(&state),
        icon: browser.evaluate(&icon).as_str().unwrap_or_default().to_owned(),
        colour: Hue::of(&browser.style(&state, "color")),
    }
}

/// Where each state is found, its word and its colour. Two with the same icon mean the same.
const STATES: [(&str, &str, Hue); 15] = [
    ("UP", "up", Hue::Green),
    ("UP/NODE1", "up", Hue::Green),
    ("DEGRADED", "degraded", Hue::Yellow),
    ("DEGRADED/NODE2", "down", Hue::Red),
    ("DOWN", "down", Hue::Red),
    ("CHECKING", "checking", Hue::Grey),
    ("CHECKING/NODE1", "checking", Hue::Grey),
    ("WANTED/NODE1", "drained", Hue::Blue),
    ("WANTED/NODE2", "halted", Hue::Grey),
    ("DRAINING/NODE1", "draining", Hue::Blue),
    ("FULL/NODE1", "full", Hue::Blue),
    ("FULL", "degraded", Hue::Yellow),
    ("OFF", "off", Hue::Grey),
    ("OFF/NODE1", "off", Hue::Grey),
    ("FALLBACK", "down", Hue::Red),
];
/// The rows of fallback servers have no name of their own.
const SERVING: &str = "tbody[id='s-FALLBACK'] tr:last-child";
const WAITING: &str = "tbody[id='s-UP'] tr:last-child";

/// A service for each state; NODE1 serves port 2001, nobody port 2009.
fn pools(lab: &Lab) -> Vec<Pool> {
    let fallback = format!("fallback_server = \"{}\"", lab.server("POOL2_NODE1").address());
    let mut number = 0;
    let mut pool = |label: &str| {
        number += 1;
        lab.pool().named(label, lab.vip(number)).server_port(2001)
    };
    vec![
        pool("UP").weights(&[100]).with(&fallback),
        pool("DEGRADED"),
        pool("DOWN").weights(&[100]).server_port(2009),
        pool("CHECKING").weights(&[100]).server_port(2008).check_every(60, 60),
        pool("WANTED"),
        pool("DRAINING").weights(&[100]),
        pool("FULL").weights(&[100]),
        pool("OFF").weights(&[100]).with("enabled = false"),
        pool("FALLBACK").weights(&[100]).server_port(2009).with(&fallback),
    ]
}

#[test]
fn every_state_has_its_icon_word_and_colour_in_light_and_dark() {
    let lab = Lab::single_arm();
    let _server = lab.server("NODE1").named_server("NODE1", 2001);
    // A check that is under way: the packets go nowhere.
    lab.server("NODE1").drop_silently(2008);
    let config = lab.config(&pools(&lab));
    lab.lbd().start(&config);
    let browser = Browser::of(&lab);
    lab.lbd().wait_service("UP", "up");
    lab.lbd().wait_service("DEGRADED", "degraded");
    lab.lbd().wait_service("DOWN", "down");
    lab.lbd().wait_service("FULL", "up");
    lab.lbd().wait_service("DRAINING", "up");
    let _held = ["DRAINING", "FULL"].map(|pool| lab.client().hold(vip_of(&lab, pool), 2001));
    order_states(&lab);
    browser.open("/");
    for (place, word, _) in STATES {
        browser.wait_text(&format!("{} .state", row(place)), word);
    }
    let mut icons: BTreeMap<String, (String, Hue)> = BTreeMap::new();
    for (colours, theme) in [(Colours::Light, "light"), (Colours::Dark, "dark")] {
        browser.prefer(colours);
        let named = STATES.map(|(place, word, hue)| (place.replace('/', "-"), row(place), word, hue));
        let fallback = [
            ("fallback-serving", SERVING, "serving", Hue::Yellow),
            ("fallback-waiting", WAITING, "waiting", Hue::Grey),
        ];
        let fallback = fallback.map(|(name, row, word, hue)| (name.to_owned(), row.to_owned(), word, hue));
        for (name, row, word, hue) in named.into_iter().chain(fallback) {
            let seen = look(&browser, &row);
            assert_eq!((seen.word.as_str(), seen.colour), (word, hue), "{name} in {theme}");
            assert!(seen.icon.starts_with("url("), "{name} in {theme} has no icon: {}", seen.icon);
            let (first, known) = icons.entry(seen.icon).or_insert((name.clone(), hue)).clone();
            assert_eq!(known, hue, "{name} and {first} have the same icon and different colours");
            browser.screenshot_of(&row, &format!("state-{name}-{theme}"));
        }
    }
    // Up, degraded, down, drained, off, checking, serving.
    assert_eq!(icons.len(), 7, "{icons:?}");
    browser.judge("states");
}

fn vip_of(lab: &Lab, service: &str) -> std::net::Ipv4Addr {
    let address = lab.lbd().service(service)["addresses"][0]["address"].clone();
    address.as_str().and_then(|text| text.parse().ok()).expect("an address")
}

/// What an operator does, and what follows by itself.
fn order_states(lab: &Lab) {
    let order = |service: &str, server: &str, state: &str| {
        let path = format!("/api/v1/services/{service}/servers/{server}/state");
        lab.lbd().request("PUT", &path, Some(&format!("{{\"state\":\"{state}\"}}"))).expect(200);
    };
    order("WANTED", "NODE1", "drain");
    order("WANTED", "NODE2", "halt");
    order("DRAINING", "NODE1", "drain");
    let path = "/api/v1/services/FULL/servers/NODE1";
    let mut server = lab.lbd().request("GET", path, None).expect(200).json;
    server["maximum_connections"] = 1.into();
    lab.lbd().request("PUT", path, Some(&server.to_string())).expect(200);
}
