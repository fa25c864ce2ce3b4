//! An operation of the API: everything that is to be said about it, in one place.

use axum::http::Method;
use axum::routing::MethodRouter;
use schemars::Schema;

use crate::web::{Gateway, Role};

/// Who may use a route at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Whoever reaches the appliance.
    Public,
    /// Who has this role, or one that may more.
    Role(Role),
}

/// What an operation takes or gives.
#[derive(Debug, Clone)]
pub struct Content {
    /// Media type.
    pub media: &'static str,
    /// Its schema; `None` for text.
    pub schema: Option<fn(&mut schemars::SchemaGenerator) -> Schema>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path, with names in braces.
    pub path: &'static str,
    /// Who may use it.
    pub least: Least,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What the body may be.
    pub takes: Vec<Content>,
    /// What a success answers: one of these.
    pub gives: Vec<Content>,
    /// The status of a success.
    pub status: u16,
    /// Name, whether it is a number, and meaning of each parameter in the query.
    pub query: Vec<(&'static str, bool, &'static str)>,
    /// Statuses of failures, beside those that every operation may have.
    pub failures: Vec<u16>,
    /// Takes `If-Match`.
    pub if_match: bool,
    /// What does it.
    pub handler: MethodRouter<Gateway>,
}

impl Operation {
    /// One that takes and gives nothing yet.
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        least: Least,
        summary: &'static str,
        handler: MethodRouter<Gateway>,
    ) -> Self {
        Self {
            method,
            path,
            least,
            summary,
            takes: Vec::new(),
            gives: Vec::new(),
            status: 200,
            query: Vec::new(),
            failures: if path.contains('{') { vec![400, 404] } else { Vec::new() },
            if_match: false,
            handler,
        }
    }

    /// For who may look.
    pub(crate) fn read(path: &'static str, summary: &'static str, handler: MethodRouter<Gateway>) -> Self {
        Self::new(Method::GET, path, Least::Role(Role::Viewer), summary, handler)
    }

    /// For administrators.
    pub(crate) fn write(
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: MethodRouter<Gateway>,
    ) -> Self {
        Self::new(method, path, Least::Role(Role::Administrator), summary, handler)
    }

    pub(crate) fn least(mut self, role: Role) -> Self {
        self.least = Least::Role(role);
        self
    }

    pub(crate) fn public(mut self) -> Self {
        self.least = Least::Public;
        self
    }

    pub(crate) fn takes<T: schemars::JsonSchema>(mut self) -> Self {
        self.takes.push(json::<T>());
        self.failures.extend([400, 413, 415, 422]);
        self
    }

    pub(crate) fn takes_text(mut self, media: &'static str) -> Self {
        self.takes.push(Content { media, schema: None });
        self
    }

    pub(crate) fn gives<T: schemars::JsonSchema>(mut self) -> Self {
        self.gives.push(json::<T>());
        self
    }

    pub(crate) fn gives_text(mut self, media: &'static str) -> Self {
        self.gives.push(Content { media, schema: None });
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, is_number: bool, meaning: &'static str) -> Self {
        self.query.push((name, is_number, meaning));
        self.failures.push(400);
        self
    }

    pub(crate) fn fails(mut self, statuses: &[u16]) -> Self {
        self.failures.extend(statuses);
        self
    }

    /// It may be bound to the version that somebody saw.
    pub(crate) fn if_match(mut self) -> Self {
        self.if_match = true;
        self.fails(&[400, 412])
    }

    /// It makes a version of the configuration.
    pub(crate) fn changes(self) -> Self {
        let this = self.if_match().fails(&[409, 422, 507]);
        this.query("comment", false, "why, in a line of at most 200 characters")
    }
}

fn json<T: schemars::JsonSchema>() -> Content {
    Content { media: "application/json", schema: Some(|generator| generator.subschema_for::<T>()) }
}
