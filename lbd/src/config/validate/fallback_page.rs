//! Rules of what lbd itself answers while no server is left.

use crate::config::values::Fault;
use crate::config::{Fallback, Protocol};
use crate::fallback::choice::LONGEST;

/// lbd's answers need a TCP connection.
pub(super) fn is_spoken_over(fallback: Fallback, protocol: Protocol) -> Result<(), Fault> {
    let what = match fallback {
        Fallback::DicomReject => "DICOM is",
        Fallback::HttpPage => "HTTP pages are",
        Fallback::Refuse => return Ok(()),
    };
    if protocol != Protocol::Udp {
        return Ok(());
    }
    Err(Fault::new(
        format!("{what} not spoken over UDP"),
        "write fallback = \"refuse\", or protocol = \"tcp\"",
    ))
}

/// A page that is shown, and can be.
pub(super) fn page(fallback: Fallback, page: Option<&str>) -> Result<(), Fault> {
    let Some(page) = page else { return Ok(()) };
    if fallback != Fallback::HttpPage {
        let remedy = "write fallback = \"http-page\", or remove the page";
        return Err(Fault::new("nobody would be shown this page", remedy));
    }
    if page.len() > LONGEST {
        let problem = format!("{} bytes are more than the {LONGEST} allowed", page.len());
        return Err(Fault::new(problem, "leave out pictures and styles, or link to those of another server"));
    }
    if page.trim().is_empty() {
        let remedy = "write a text, or remove this field: then lbd shows a page of its own";
        return Err(Fault::new("the page is empty", remedy));
    }
    match page.chars().find(|c| c.is_control() && !"\r\n\t".contains(*c)) {
        None => Ok(()),
        Some(c) => Err(Fault::new(
            format!("the page holds the control character U+{:04X}", u32::from(c)),
            "remove it; line breaks and tabs may stay",
        )),
    }
}
