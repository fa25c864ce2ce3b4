//! `lbd user`, `lbd token` and `lbd audit`: who may use WebUI and API, and who did.

use std::io::BufRead;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::Call;
use super::failure::CommandError;
use super::print::{Common, encoded, moment, table, text};
use crate::web::Role;

const USERS: &str = "/api/v1/users";
const TOKENS: &str = "/api/v1/tokens";

const USER_EXAMPLES: &str = "Examples:
  lbd user list
  echo 'change me soon' | lbd user add ann --role operator --one-time
  lbd user edit ann --role administrator
  echo 'change me again' | lbd user edit ann --new-password --one-time
  lbd user remove ann";

const TOKEN_EXAMPLES: &str = "Examples:
  lbd token create backup --role viewer --days 365 > backup.token
  lbd config show --url https://192.168.10.10:9443 --token-file backup.token --fingerprint AB:CD:...   # elsewhere
  lbd token revoke backup";

#[derive(Debug, Args)]
#[command(after_help = USER_EXAMPLES)]
pub(super) struct User {
    #[command(subcommand)]
    verb: UserVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    /// All users, with their roles
    List,
    /// Add a user; the password is read from standard input, one line
    Add {
        name: String,
        #[arg(long)]
        role: Role,
        /// The first log-in must change the password
        #[arg(long)]
        one_time: bool,
    },
    /// Give a user another role, password, or both
    Edit {
        name: String,
        #[arg(long)]
        role: Option<Role>,
        /// Another password, which is read from standard input, one line
        #[arg(long, required_unless_present = "role")]
        new_password: bool,
        /// The next log-in must change it
        #[arg(long, requires = "new_password")]
        one_time: bool,
    },
    /// Remove a user, and end their sessions
    Remove { name: String },
}

#[derive(Debug, Args)]
#[command(after_help = TOKEN_EXAMPLES)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: TokenVerb,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// All API tokens, without what they open with
    List,
    /// Make a token, and print it this once
    Create {
        name: String,
        #[arg(long)]
        role: Role,
        /// Days until it ends, 1 to 1826
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// End a token at once
    Revoke { name: String },
}

const AUDIT_EXAMPLES: &str = "Examples:
  lbd audit
  lbd audit --most 1000 --json > audit.json";

/// Who did what.
#[derive(Debug, Args)]
#[command(after_help = AUDIT_EXAMPLES)]
pub(super) struct Audit {
    /// So many lines at most, up to 1000
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    most: u32,
    #[command(flatten)]
    common: Common,
}

pub(super) fn show_audit(Audit { most, common }: &Audit) -> Result<(), CommandError> {
    list(common, &format!("/api/v1/audit?most={most}"), ["WHEN", "WHO", "FROM", "WHAT"], |line| {
        [moment(line, "time"), text(line, "user"), text(line, "from"), text(line, "what")]
    })
}

pub(super) fn carry_out_user(User { verb, common }: &User) -> Result<(), CommandError> {
    match verb {
        UserVerb::List => list(common, USERS, ["USER", "ROLE", "PASSWORD"], |user| {
            let is_one_time = user["must_change_password"] == true;
            let password = if is_one_time { "one-time, not replaced yet" } else { "their own" };
            [text(user, "name"), text(user, "role"), password.into()]
        }),
        UserVerb::Add { name, role, one_time } => {
            let password = line_of_input()?;
            let user =
                json!({"name": name, "role": role, "password": password, "must_change_password": one_time});
            let answer = Call::new(Method::POST, USERS).json(&user).send(&common.way)?;
            said(common, &answer.text, &format!("{name} may log in as {role}."));
            Ok(())
        }
        UserVerb::Edit { name, role, new_password, one_time } => {
            let mut change = json!({"must_change_password": one_time});
            if let Some(role) = role {
                change["role"] = json!(role);
            }
            if *new_password {
                change["password"] = line_of_input()?.into();
            }
            let call = Call::new(Method::PUT, format!("{USERS}/{}", encoded(name))).json(&change);
            said(common, &call.send(&common.way)?.text, &format!("{name} is changed."));
            Ok(())
        }
        UserVerb::Remove { name } => {
            let answer = Call::new(Method::DELETE, format!("{USERS}/{}", encoded(name))).send(&common.way)?;
            said(common, &answer.text, &format!("{name} is removed."));
            Ok(())
        }
    }
}

pub(super) fn carry_out_token(Token { verb, common }: &Token) -> Result<(), CommandError> {
    match verb {
        TokenVerb::List => list(common, TOKENS, ["TOKEN", "ROLE", "MADE", "BY", "ENDS"], |token| {
            let [made, ends] = ["created", "expires"].map(|field| moment(token, field));
            [text(token, "name"), text(token, "role"), made, text(token, "created_by"), ends]
        }),
        TokenVerb::Create { name, role, days } => {
            let token = json!({"name": name, "role": role, "days": days});
            let answer = Call::new(Method::POST, TOKENS).json(&token).send(&common.way)?;
            let token: Value = answer.read()?;
            // Alone on standard output, so that it can be sent into a file.
            said(common, &answer.text, &text(&token, "token"));
            if !common.json {
                eprintln!("The token {name} opens what a {role} may do until {}.", moment(&token, "expires"));
            }
            Ok(())
        }
        TokenVerb::Revoke { name } => {
            let answer =
                Call::new(Method::DELETE, format!("{TOKENS}/{}", encoded(name))).send(&common.way)?;
            said(common, &answer.text, &format!("The token {name} is revoked."));
            Ok(())
        }
    }
}

fn list<const N: usize>(
    common: &Common,
    path: &str,
    headings: [&str; N],
    row: impl Fn(&Value) -> [String; N],
) -> Result<(), CommandError> {
    let answer = Call::new(Method::GET, path).send(&common.way)?;
    if common.json {
        println!("{}", answer.text);
        return Ok(());
    }
    let entries: Vec<Value> = answer.read()?;
    print!("{}", table(headings, &entries.iter().map(row).collect::<Vec<_>>()));
    Ok(())
}

/// An answer without a body says nothing as JSON.
fn said(common: &Common, json: &str, words: &str) {
    match (common.json, json) {
        (true, "") => {}
        (true, json) => println!("{json}"),
        (false, _) => println!("{words}"),
    }
}

/// A secret is no argument: those are for everybody on the machine to read.
pub(super) fn line_of_input() -> Result<String, String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| {
        format!("reading the password: {error}; give it on standard input, in one line of UTF-8")
    })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
