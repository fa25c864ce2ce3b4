//! The OVF environment document (DMTF DSP8027, `ovf-env.xml`): XML to keys and values, within bounds.
//!
//! `<Environment>` holds one `<PropertySection>` for this machine, and an `<Entity>` with one of its own for each
//! machine deployed along with it, which is none of our business. Elements and attributes are told by their
//! local names: some writers bind the prefix `oe` to another name space than DSP8027 does.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::config::Problem;
use crate::config::values::quoted;

/// Room for a whole configuration in Base64.
const LARGEST_DOCUMENT: usize = 1 << 20;
/// VMware's documents are three deep.
const DEEPEST: usize = 16;
/// The appliance has 14; other products of the same deployment may add theirs.
const MOST_PROPERTIES: usize = 256;
/// `key` and `value`, and what else a writer may add. Attributes are compared with each other.
const MOST_ATTRIBUTES: usize = 16;

/// The properties of this machine, in the order of the document.
pub(super) fn properties(xml: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    if xml.len() > LARGEST_DOCUMENT {
        return Err(unusable(format!("{} bytes are more than the {LARGEST_DOCUMENT} allowed", xml.len())));
    }
    let text = std::str::from_utf8(xml).map_err(|error| unusable(format!("it is not UTF-8: {error}")))?;
    // guestinfo hands the document over as a C string.
    let text = text.trim_start_matches('\u{feff}').trim_end_matches('\0');
    let mut reader = Reader::from_str(text);
    let mut document = Walk::default();
    loop {
        let event = reader.read_event().map_err(|error| unusable(format!("it is not XML: {error}")))?;
        let done = matches!(event, Event::Eof);
        document.take(event).map_err(unusable)?;
        if done {
            return Ok(document.properties);
        }
    }
}

fn unusable(problem: String) -> Problem {
    Problem {
        field: "ovf-env.xml".into(),
        // The parser repeats what it was given.
        problem: problem.chars().filter(|c| !c.is_control()).take(200).collect(),
        remedy: "pass an OVF environment as DMTF DSP8027 describes it, in UTF-8; none of it is used".into(),
    }
}

/// Where the reader is.
#[derive(Default)]
struct Walk {
    depth: usize,
    has_root: bool,
    in_section: bool,
    properties: Vec<(String, String)>,
}

impl Walk {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(element) => {
                self.enter(&element)?;
                self.depth += 1;
            }
            Event::Empty(element) => {
                self.enter(&element)?;
                // It ends at once, and with it a section that is empty.
                self.leave();
            }
            Event::End(_) => {
                self.depth = self.depth.saturating_sub(1);
                self.leave();
            }
            // Entities of its own are all that a DTD could be for here, and they could expand without end.
            Event::DocType(_) => return Err("it has a document type declaration".into()),
            Event::Eof if self.depth > 0 || !self.has_root => return Err("it ends too early".into()),
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let local_name = element.local_name();
        let name = local_name.as_ref();
        match self.depth {
            0 if self.has_root => return Err("it has more than one root element".into()),
            0 if name != "Environment" => return Err(format!("its root element is {}", quoted(name))),
            0 => self.has_root = true,
            1 => self.in_section = name == "PropertySection",
            2 if self.in_section && name == "Property" => self.properties.extend(property(element)?),
            DEEPEST => return Err(format!("its elements are more than {DEEPEST} deep")),
            _ => {}
        }
        match self.properties.len() {
            0..=MOST_PROPERTIES => Ok(()),
            _ => Err(format!("it has more than {MOST_PROPERTIES} properties")),
        }
    }

    fn leave(&mut self) {
        if self.depth == 1 {
            self.in_section = false;
        }
    }
}

/// Key and value (DSP8027, `Property_Type`); `None` where there is no key.
fn property(element: &BytesStart<'_>) -> Result<Option<(String, String)>, String> {
    let (mut key, mut value) = (None, String::new());
    for (index, attribute) in element.attributes().enumerate() {
        if index >= MOST_ATTRIBUTES {
            return Err(format!("a property has more than {MOST_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|error| format!("it is not XML: {error}"))?;
        // The five entities of XML 1.0 section 4.6, no others; line breaks become spaces (section 3.3.3).
        let text = || {
            let text = attribute.normalized_value(XmlVersion::Implicit1_0);
            text.map(|text| text.into_owned()).map_err(|error| format!("it is not XML: {error}"))
        };
        match attribute.key.local_name().as_ref() {
            "key" => key = Some(text()?),
            "value" => value = text()?,
            _ => {}
        }
    }
    Ok(key.map(|key| (key, value)))
}
