use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::*;
use crate::web::auth::{PasswordFile, guarded};

/// An appliance with a one-time password.
struct Appliance {
    router: Router,
    file: PasswordFile,
    _folder: tempfile::TempDir,
}

const ONE_TIME: &str = "only once";
const LASTING: &str = "for good & ever+%";

fn appliance() -> Appliance {
    let folder = tempfile::tempdir().unwrap();
    let file = PasswordFile::below(folder.path());
    file.set_one_time(ONE_TIME).unwrap();
    let open = Router::new()
        .route("/", get(async || "overview"))
        .route("/api/v1/config", get(async || "configuration").put(async || "changed"))
        .fallback(async || "nothing");
    Appliance { router: guarded(open, Guard::new(file.clone())), file, _folder: folder }
}

impl Appliance {
    async fn ask(&self, method: &str, path: &str, password: &str, more: &[(&str, &str)]) -> (u16, String) {
        let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{password}"));
        let body = more.iter().find(|(name, _)| *name == "body").map_or("", |(_, body)| body);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "lb:9443")
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in more.iter().filter(|(name, _)| *name != "body") {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = TowerToHyperService::new(self.router.clone()).call(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn change(&self, password: &str, form: &str, more: &[(&str, &str)]) -> (u16, String) {
        let more: Vec<_> = more.iter().copied().chain([("body", form)]).collect();
        self.ask("POST", PATH, password, &more).await
    }
}

#[tokio::test]
async fn a_one_time_password_opens_nothing_but_the_form() {
    let appliance = appliance();
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("POST", "/"),
        ("GET", PATH),
        ("PUT", PATH),
        ("GET", "//password"),
    ] {
        let (status, text) = appliance.ask(method, path, ONE_TIME, &[]).await;
        assert_eq!(status, 403, "{method} {path}");
        assert!(text.contains(r#"<form class="panel narrow" method="post" action="/password">"#), "{text}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let (status, text) = appliance.ask(method, "/api/v1/config", ONE_TIME, &[]).await;
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &problem["status"]), (403, &403.into()), "{method}");
        assert!(problem["detail"].as_str().unwrap().contains("POST /password"), "{text}");
    }
    for path in ["/", PATH, "/assets/style.css", "/api/v1/config"] {
        assert_eq!(appliance.ask("GET", path, "wrong one", &[]).await.0, 401, "{path}");
    }
    assert_eq!(appliance.change("wrong one", "", &[]).await.0, 401);
}

#[tokio::test]
async fn a_new_password_opens_everything_and_ends_the_old_one() {
    let appliance = appliance();
    let form =
        "username=loadbalancer&current=only+once&new=for+good+%26+ever%2B%25&again=for+good+%26+ever%2B%25";
    let browser = [("origin", "https://lb:9443"), ("sec-fetch-site", "same-origin")];
    let (status, text) = appliance.change(ONE_TIME, form, &browser).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(appliance.ask("GET", "/", ONE_TIME, &[]).await.0, 401);
    assert_eq!(appliance.ask("GET", "/", LASTING, &[]).await, (200, "overview".into()));
    assert_eq!(appliance.ask("PUT", "/api/v1/config", LASTING, &[]).await, (200, "changed".into()));
    let (status, text) = appliance.ask("GET", PATH, LASTING, &[]).await;
    assert!(status == 200 && text.contains("Change the password"), "{text}");
}

#[tokio::test]
async fn mistakes_stand_beside_their_fields_and_change_nothing() {
    let appliance = appliance();
    let before = appliance.file.stored().unwrap();
    let cases = [
        ("current=only+once&new=short&again=short", "new-error", "8 to 256"),
        ("current=only+once&new=long+enough&again=long+enouhg", "again-error", "not the same"),
        ("current=only+once&new=only+once&again=only+once", "new-error", "present password"),
        ("current=wrong+one&new=long+enough&again=long+enough", "current-error", "not the present"),
        ("new=long+enough&again=long+enough", "current-error", "logged in"),
        ("current=only+once&new=long%0Aenough&again=long%0Aenough", "new-error", "line breaks"),
        ("current=a&current=b", "alert", "could not be read"),
        (&"current=x".repeat(LARGEST_FORM), "alert", "too large"),
    ];
    for (form, place, text) in cases {
        let (status, page) = appliance.change(ONE_TIME, form, &[]).await;
        assert_eq!(status, 422, "{form:.80}");
        assert!(page.contains(place) && page.contains(text), "{form:.80}: {page}");
        assert!(page.contains("with a one-time password"), "still says why: {page}");
        assert!(!page.contains("long enough") && !page.contains("only once"), "repeats a password: {page}");
    }
    assert_eq!(appliance.file.stored().unwrap(), before);
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let appliance = appliance();
    let before = appliance.file.stored().unwrap();
    let form = "current=only+once&new=long+enough&again=long+enough";
    for header in [
        ("origin", "https://evil.example"),
        ("origin", "http://lb:9443"),
        ("origin", "https://lb"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let (status, page) = appliance.change(ONE_TIME, form, &[header]).await;
        assert_eq!(status, 403, "{header:?}");
        assert!(page.contains("sent by another page"), "{page}");
    }
    assert_eq!(appliance.file.stored().unwrap(), before);
}
