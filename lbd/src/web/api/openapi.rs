//! The description of the API (OpenAPI 3.1), made from the table of operations, and a page to read it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::operation::Content;
use super::{Least, Operation, ProblemDocument, operations};
use crate::web::pages::{self, Frame};

pub(super) fn operations_of() -> Vec<Operation> {
    vec![
        Operation::read("/api/v1/openapi.json", "This description", get(document))
            .public()
            .gives_text("application/json"),
        Operation::read("/api/", "This description, to read", get(page)).gives_text("text/html"),
    ]
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| describe(&operations()));

async fn document() -> Response {
    Json(&*DOCUMENT).into_response()
}

/// What the operations are, as OpenAPI 3.1.
fn describe(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemDocument>();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let described = operation_object(operation, &mut generator, &json!(problem));
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_lowercase()] = described;
    }
    let schemas = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Evenkeel",
            "version": "1",
            "description": "Every change of the configuration is validated, applied to the kernel and stored before it is \
                accepted, and makes a version. Send If-Match with the ETag that you were given, and nobody's change is \
                overwritten.",
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-evenkeel"},
            },
        },
    })
}

fn operation_object(operation: &Operation, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let mut object = json!({
        "operationId": operation_id(operation),
        "summary": operation.summary,
        "description": rights(operation.least),
        "parameters": parameters(operation),
        "responses": responses(operation, generator, problem),
    });
    if !operation.takes.is_empty() {
        object["requestBody"] = json!({"required": true, "content": contents(&operation.takes, generator)});
    }
    if operation.least == Least::Public {
        object["security"] = json!([]);
    }
    object
}

fn rights(least: Least) -> String {
    match least {
        Least::Public => "For everybody.".into(),
        Least::Role(role) => format!("For a {role}, and who may more."),
    }
}

/// `get_api_v1_services_service`.
fn operation_id(operation: &Operation) -> String {
    let path = operation.path.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{}{}", operation.method.as_str().to_lowercase(), path.trim_end_matches('_').replace("__", "_"))
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut parameters = Vec::new();
    for part in operation.path.split('/') {
        if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            let schema = match name {
                "version" => json!({"type": "integer", "minimum": 0}),
                _ => json!({"type": "string", "minLength": 1}),
            };
            parameters.push(json!({"name": name, "in": "path", "required": true, "schema": schema}));
        }
    }
    for (name, is_number, meaning) in &operation.query {
        let schema =
            if *is_number { json!({"type": "integer", "minimum": 0}) } else { json!({"type": "string"}) };
        parameters.push(json!({"name": name, "in": "query", "description": meaning, "schema": schema}));
    }
    if operation.if_match {
        let meaning = "the ETag of what the change is based on, such as \"v12\"";
        let schema = json!({"type": "string"});
        parameters
            .push(json!({"name": "If-Match", "in": "header", "description": meaning, "schema": schema}));
    }
    parameters
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let mut success = json!({"description": "done"});
    if !operation.gives.is_empty() {
        success["content"] = contents(&operation.gives, generator);
    }
    let mut responses = Map::from_iter([(operation.status.to_string(), success)]);
    let protected: &[u16] = if operation.least == Least::Public { &[] } else { &[401, 403, 500, 503] };
    for status in operation.failures.iter().chain(protected).chain(&[408]) {
        let name = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        let answer = json!({
            "description": name.unwrap_or("failure"),
            "content": {"application/problem+json": {"schema": problem}},
        });
        responses.entry(status.to_string()).or_insert(answer);
    }
    Value::Object(responses)
}

fn contents(contents: &[Content], generator: &mut SchemaGenerator) -> Value {
    let content = |content: &Content, generator: &mut SchemaGenerator| {
        let schema =
            content.schema.map_or_else(|| json!({"type": "string"}), |schema| json!(schema(generator)));
        // JSON without a schema of its own may be anything.
        let schema =
            if content.schema.is_none() && content.media == "application/json" { json!({}) } else { schema };
        (content.media.to_owned(), json!({ "schema": schema }))
    };
    let described: Map<_, _> = contents.iter().map(|one| content(one, generator)).collect();
    Value::Object(described)
}

/// The page to read.
#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    groups: Vec<Group>,
}

/// Operations on the same kind of thing.
struct Group {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    method: String,
    /// In parts between which a line may end.
    path: Vec<&'static str>,
    summary: &'static str,
    least: String,
    statuses: String,
}

async fn page(frame: Frame) -> Response {
    pages::page_of(StatusCode::OK, &ApiPage { frame, groups: groups(&operations()) })
}

/// In the order of the table.
fn groups(operations: &[Operation]) -> Vec<Group> {
    let same_kind = |a: &Operation, b: &Operation| kind(a.path) == kind(b.path);
    let group = |operations: &[Operation]| Group {
        title: kind(operations[0].path),
        rows: operations.iter().map(row).collect(),
    };
    operations.chunk_by(same_kind).map(group).collect()
}

/// `/api/v1/health-checks/{check}` is about health checks.
fn kind(path: &str) -> String {
    let is_kind = |segment: &&str| !["", "api", "v1", "openapi.json"].contains(segment);
    let mut segments = path.split('/').filter(is_kind);
    segments.next().map_or_else(|| "description".to_owned(), |segment| segment.replace('-', " "))
}

fn row(operation: &Operation) -> Row {
    let statuses: BTreeSet<_> = operation.failures.iter().copied().chain([operation.status]).collect();
    let statuses: Vec<_> = statuses.iter().map(u16::to_string).collect();
    Row {
        method: operation.method.to_string(),
        path: operation.path.split_inclusive('/').collect(),
        summary: operation.summary,
        least: match operation.least {
            Least::Public => "everybody".into(),
            Least::Role(role) => role.to_string(),
        },
        statuses: statuses.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_below_what_it_is_about() {
        let groups = groups(&operations());
        let rows: usize = groups.iter().map(|group| group.rows.len()).sum();
        assert_eq!(rows, operations().len());
        assert!(groups.iter().any(|group| group.title == "health checks"));
    }

    #[test]
    fn every_operation_is_described_once_and_every_reference_leads_somewhere() {
        let document = describe(&operations());
        let ids: Vec<_> = operations().iter().map(operation_id).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{ids:?}");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        assert!(schemas.contains_key("Document") && schemas.contains_key("View"));
    }
}
