//! What commands print.

use clap::Args;
use jiff::Timestamp;
use serde_json::Value;

use super::client::Answer;
use super::failure::CommandError;
use super::way::Way;
use crate::engine::Accepted;

/// What commands that ask lbd share.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// As JSON, as the API answers
    #[arg(long, global = true)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) way: Way,
}

/// Why a change is made.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why, in a line; it stands in the history
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

impl Why {
    /// The path of a change that carries it.
    pub(super) fn at(&self, path: &str) -> String {
        match &self.comment {
            Some(comment) => format!("{path}?comment={}", encoded(comment)),
            None => path.to_owned(),
        }
    }
}

/// For a part of a URL (RFC 3986 section 2.1).
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// What is in force after a change.
pub(super) fn accepted(answer: &Answer, json: bool) -> Result<(), CommandError> {
    if json {
        println!("{}", answer.text);
        return Ok(());
    }
    let accepted: Accepted = answer.read()?;
    println!("Version {} is in force.", accepted.version);
    if let Some(until) = accepted.confirm_until {
        println!("It is taken back at {until:.0} unless you confirm it: lbd config confirm");
    }
    Ok(())
}

/// Columns with their headings; `rows` as wide as `headings`.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(headings[column].len())
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let body = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(line(headings)).chain(body).collect()
}

/// Text of a value in JSON; empty where there is none.
pub(super) fn text(value: &Value, field: &str) -> String {
    match &value[field] {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// A moment in JSON, to the second.
pub(super) fn moment(value: &Value, field: &str) -> String {
    let text = text(value, field);
    text.parse::<Timestamp>().map_or(text, |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [["A".into(), "1".into()], ["LONGER".into(), String::new()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME    N\nA       1\nLONGER\n");
    }

    #[test]
    fn a_part_of_a_path_stays_a_part() {
        assert_eq!(encoded("a/b?c=ü"), "a%2Fb%3Fc%3D%C3%BC");
    }
}
