//! What is kept for graphs and reports, and how much room that takes. There is nothing to set: it is bounded by itself.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::history::MOST_SUBJECTS;
use crate::history::lookup::{self, Kept};
use crate::web::Gateway;
use crate::web::history::read;
use crate::web::pages::frame::Frame;
use crate::web::pages::page_of;
use crate::web::pages::words::{bytes, duration, grouped, time};

#[derive(Template)]
#[template(path = "reports/graphing.html")]
struct Page {
    frame: Frame,
    kept: Kept,
    trouble: Option<String>,
    left_out: usize,
}

impl Page {
    fn bytes(&self, count: &u64) -> String {
        bytes(*count)
    }

    fn duration(&self, seconds: &i64) -> String {
        duration(*seconds)
    }

    fn since(&self, second: &Option<i64>) -> String {
        let moment = second.and_then(|second| jiff::Timestamp::from_second(second).ok());
        moment.map_or_else(|| "nothing yet".to_owned(), time)
    }

    fn most(&self) -> String {
        grouped(MOST_SUBJECTS as u64)
    }

    fn grouped(&self, count: &usize) -> String {
        grouped(*count as u64)
    }
}

pub(super) async fn page(State(gateway): State<Gateway>, frame: Frame) -> Response {
    let folder = gateway.past().folder();
    let kept = match read(move || lookup::kept(&folder)).await {
        Ok(kept) => kept,
        Err(problem) => return problem.into_response(),
    };
    let (trouble, left_out) = (gateway.past().trouble(), gateway.past().left_out());
    page_of(StatusCode::OK, &Page { frame, kept, trouble, left_out })
}
