//! Inputs, made from the tables of fields: each with its help, its error, and what is in force meanwhile.

use askama::Template;
use serde_json::Value;

use super::field::{Field, Kind};
use super::typed::{Faults, Typed};

/// An entry of a list in a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choosable {
    /// What is sent.
    pub(super) value: String,
    /// What is shown.
    pub(super) words: String,
    /// The heading above it; empty where it has none.
    pub(super) group: &'static str,
}

/// How an input looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// A line of text.
    Line,
    /// A line for digits.
    Digits,
    /// A list to choose from.
    List,
    /// A box to tick.
    Tick,
    /// So many lines of text.
    Area(u8),
}

/// An input with all that stands around it.
#[derive(Template, Debug, Clone)]
#[template(path = "cluster/input.html")]
pub(super) struct Input {
    /// As it is sent.
    pub(super) name: String,
    /// For people.
    pub(super) label: String,
    /// How it looks.
    pub(super) control: Control,
    /// What stands in it.
    pub(super) value: String,
    /// For [`Control::List`].
    pub(super) options: Vec<Choosable>,
    /// Behind it.
    pub(super) unit: &'static str,
    /// In it, while it is empty.
    pub(super) example: String,
    /// Below it.
    pub(super) hint: String,
    /// Whether something has to stand there.
    pub(super) needed: bool,
    /// What is wrong.
    pub(super) error: Option<String>,
    /// What is in force, where that is something else and somebody else wrote it.
    pub(super) in_force: Option<String>,
    /// Whether the page opens with the cursor here.
    pub(super) focus: bool,
}

impl Input {
    /// A line of text, empty.
    pub(super) fn line(name: &str, label: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            control: Control::Line,
            value: String::new(),
            options: Vec::new(),
            unit: "",
            example: String::new(),
            hint: String::new(),
            needed: false,
            error: None,
            in_force: None,
            focus: false,
        }
    }

    /// With what was typed into it, or with what stood there at first, and with what is wrong with it.
    pub(super) fn filled(mut self, typed: Option<&Typed>, first: &str, faults: &mut Faults) -> Self {
        self.value = typed.and_then(|typed| typed.get(&self.name)).unwrap_or(first).to_owned();
        self.error = faults.take(&self.name);
        self
    }

    /// With help.
    pub(super) fn hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }

    /// With an example.
    pub(super) fn example(mut self, example: &str) -> Self {
        example.clone_into(&mut self.example);
        self
    }

    /// Of another look.
    pub(super) fn control(mut self, control: Control) -> Self {
        self.control = control;
        self
    }

    /// With a choice.
    pub(super) fn options(mut self, options: Vec<Choosable>) -> Self {
        self.options = options;
        self.control(Control::List)
    }

    /// Unique on the page, and without the characters that mean something in a selector.
    pub(super) fn id(&self) -> String {
        self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
    }

    /// For `aria-describedby`.
    fn described_by(&self) -> String {
        let id = self.id();
        let error = self.error.as_ref().map(|_| format!("{id}-error"));
        let hint = (!self.hint.is_empty()).then(|| format!("{id}-hint"));
        error.into_iter().chain(hint).collect::<Vec<_>>().join(" ")
    }

    /// Whether the option at `index` begins another group.
    fn begins_group(&self, index: &usize) -> bool {
        let group = |index: usize| self.options.get(index).map_or("", |option| option.group);
        !group(*index).is_empty() && (*index == 0 || group(*index) != group(*index - 1))
    }

    /// Whether the option at `index` is the last of its group.
    fn ends_group(&self, index: &usize) -> bool {
        let group = |index: usize| self.options.get(index).map_or("", |option| option.group);
        !group(*index).is_empty() && group(*index) != group(*index + 1)
    }
}

/// From what a section is filled.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    /// The entry in force, or the beginning of a new one.
    pub(super) entry: &'a Value,
    /// What was typed, if anything was.
    pub(super) typed: Option<&'a Typed>,
    /// Before the name of each input.
    pub(super) prefix: &'a str,
    /// What may be referred to.
    pub(super) references: &'a [Choosable],
    /// Somebody else was faster: what is in force now stands beside what was typed.
    pub(super) outdated: bool,
}

impl Field {
    /// The field as an input.
    pub(super) fn input(&self, source: Source<'_>, faults: &mut Faults) -> Input {
        let name = format!("{}{}", source.prefix, self.path);
        let shown = self.shown(source.entry);
        let typed = source.typed.and_then(|typed| typed.of(&name, self.kind));
        let in_force = typed.as_ref().filter(|typed| source.outdated && **typed != shown);
        let in_force = in_force.map(|_| self.told(source.entry));
        let mut input = Input {
            needed: self.is_needed(),
            hint: self.help(),
            example: self.example.to_owned(),
            in_force,
            ..Input::line(&name, self.label)
        };
        input.value = typed.unwrap_or(shown);
        input.error = faults.take(&name);
        match self.kind {
            Kind::Text | Kind::List => input,
            Kind::Area => input.control(Control::Area(6)),
            Kind::Number(unit) => Input { unit, ..input.control(Control::Digits) },
            Kind::Switch => input.control(Control::Tick),
            Kind::Choice(choices) => {
                let options = choices.iter().map(|(value, words)| Choosable {
                    value: (*value).to_owned(),
                    words: (*words).to_owned(),
                    group: "",
                });
                with_own_value(input, options.collect())
            }
            Kind::Reference => with_own_value(input, source.references.to_vec()),
        }
    }

    fn help(&self) -> String {
        let usual = match self.kind {
            Kind::Number(unit) if !self.usual.is_empty() => format!("Default: {} {unit}", self.usual),
            _ => String::new(),
        };
        let usual = usual.trim_end();
        let blank = if self.blank.is_empty() { String::new() } else { format!("Blank: {}.", self.blank) };
        let usual = if usual.is_empty() { String::new() } else { format!("{usual}.") };
        [self.hint, &usual, &blank].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

/// A value that this version's form does not know is offered too, so that it can stay.
fn with_own_value(input: Input, mut options: Vec<Choosable>) -> Input {
    let value = input.value.clone();
    if !value.is_empty() && !options.iter().any(|option| option.value == value) {
        options.push(Choosable { value: value.clone(), words: value, group: "" });
    }
    input.options(options)
}
