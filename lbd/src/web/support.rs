//! What whoever supports this appliance needs: the support file, and the last words of what crashed.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::api::{Named, Operation, ProblemDocument, capitalised};
use super::{Caller, Gateway, Role};
use crate::config::values::quoted;
use crate::crash::account::Crash;
use crate::crash::shelf::Shelf;
use crate::history::report::Month;
use crate::log::wanted::Wanted;
use crate::support::{Archive, KERNEL_FILES, log_text, read};
use crate::traffic::nft;

const SUPPORT: &str = "/api/v1/support";
const CRASHES: &str = "/api/v1/crashes";
const MEDIA: &str = "application/gzip";
/// Lines of the log: weeks of a calm appliance, and some 3 MB.
const LOG_LINES: usize = 20_000;
/// Lines of the audit log.
const AUDIT_LINES: usize = 1000;
/// Months of the availability report: this one and the last.
const MONTHS: usize = 2;

/// What one part waits for at most: whoever asks may have come because the disk does not answer.
const LONGEST_READ: Duration = Duration::from_secs(5);
/// Megabytes of log are read and compressed within two seconds.
const LONGEST_PACKING: Duration = Duration::from_secs(30);
/// Who looks at the crashes at the same time; on a disk that hangs each keeps a thread.
const READS: usize = 8;
const BUSY: &str = "Another one is being made. Try again in a minute.";
const NO_DISK: &str =
    "The disk does not answer. Look at the datastore of the virtual machine, then try again.";

const ABOUT: &str = "This file is for whoever supports the appliance.

status.json           everything that the WebUI shows
configuration.toml    the configuration, as a backup without secrets
versions.json         the versions of the configuration
update.json           the software: what runs, what else is there
log.txt               what lbd, init and the kernel said, the newest at the end
audit.txt             who changed what
availability-*.csv    outages of this month and the last
packet-filter.txt     the kernel's rules, without the elements of its maps
kernel/               what the kernel tells of itself
crashes/              the last words of what crashed

No password, key or token that the appliance keeps is in it, and nothing that modalities send about patients. What
people wrote into a health check and the last words of a crash stand there as they are; so do names of users and
addresses of modalities, servers and workplaces. Look before you send it, and give it to nobody else.
";

/// `/api/v1/support` and `/api/v1/crashes`.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::read(
            SUPPORT,
            "A file for whoever supports this appliance: configuration without secrets, state, logs, rules, crashes",
            get(file),
        )
        .least(Role::Administrator)
        .gives_text(MEDIA)
        .fails(&[503]),
        Operation::read(CRASHES, "What crashed, the newest first", get(list))
            .least(Role::Administrator)
            .gives::<Vec<Crash>>()
            .fails(&[507]),
        Operation::read("/api/v1/crashes/{name}", "The last words of one, as text", get(one))
            .least(Role::Administrator)
            .gives_text("text/plain; charset=utf-8")
            .fails(&[507]),
    ]
}

/// The file, and what it is called.
pub(in crate::web) struct SupportFile {
    name: String,
    bytes: Vec<u8>,
}

impl Gateway {
    /// Makes the support file. A part that cannot be had says so in the file.
    pub(in crate::web) async fn support_file(&self, caller: &Caller) -> Result<SupportFile, ProblemDocument> {
        static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));
        let turn = Arc::clone(&ROOM).try_acquire_owned().map_err(|_| not_made(BUSY))?;
        self.access().audit().change(&caller.author(), &["support file made".to_owned()]);
        let host = self.latest().view.host_name.clone();
        let now = Timestamp::now();
        let folder = format!("evenkeel-{host}-{}", now.strftime("%Y%m%d-%H%M%S"));
        let parts = self.told_parts(caller, now).await;
        let (gateway, name) = (self.clone(), format!("{folder}.tar.gz"));
        let pack = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            gateway.packed(Archive::new(&folder, now), parts)
        });
        let packed = timeout(LONGEST_PACKING, pack).await.map_err(|_| not_made(NO_DISK))?;
        let bytes = packed.map_err(std::io::Error::other).flatten();
        let bytes =
            bytes.map_err(|error| not_made(&format!("It could not be packed: {error}. Try again.")))?;
        Ok(SupportFile { name, bytes })
    }

    /// What others than the disk tell.
    async fn told_parts(&self, caller: &Caller, now: Timestamp) -> Vec<(String, Result<Vec<u8>, String>)> {
        let configuration = async { text(self.written(&caller.author(), None).await.map(|file| file.text)) };
        let versions = async {
            let versions = self.history().await.map_err(|why| ProblemDocument::from(why).sentences())?;
            json(&versions)
        };
        let mut parts = vec![
            ("status.json".to_owned(), json(&self.latest().view)),
            ("configuration.toml".into(), in_time(configuration).await),
            ("versions.json".into(), in_time(versions).await),
            ("update.json".into(), in_time(async { json(&self.update_status().await) }).await),
            ("packet-filter.txt".into(), nft::outline().await.map_err(|error| error.to_string())),
        ];
        let zone = crate::clock::zone::of_request();
        for month in Month::of(now, &zone).back(MONTHS) {
            let report = async {
                text(super::history::report(self.past(), month, now).await.map(|report| report.csv()))
            };
            parts.push((format!("availability-{}.csv", month.name()), in_time(report).await));
        }
        parts
    }

    /// Waits for the disk.
    fn packed(
        &self,
        mut archive: Archive,
        parts: Vec<(String, Result<Vec<u8>, String>)>,
    ) -> std::io::Result<Vec<u8>> {
        archive.add("README.txt", Ok(ABOUT.into()))?;
        parts.into_iter().try_for_each(|(name, part)| archive.add(&name, part))?;
        let wanted = Wanted { most: LOG_LINES, ..Wanted::default() };
        // Where the disk cannot be read memory has the latest.
        let lines = self.journal().read(&wanted).map(|(lines, _)| lines);
        let lines = lines.unwrap_or_else(|_| self.journal().recent().into_iter().rev().collect());
        archive.add("log.txt", Ok(log_text(&lines).into_bytes()))?;
        archive.add("audit.txt", self.audit_text())?;
        for (path, name) in KERNEL_FILES {
            archive.add(name, read(Path::new(path)))?;
        }
        for crash in self.crashes().list().unwrap_or_default() {
            let words = self.crashes().text(&crash.name).map_err(|error| error.to_string());
            archive.add(
                &format!("crashes/{}", crash.name),
                words.map(|text| text.unwrap_or_default().into_bytes()),
            )?;
        }
        archive.finish()
    }

    fn audit_text(&self) -> Result<Vec<u8>, String> {
        let entries = self.access().audit().read(AUDIT_LINES).map_err(|error| error.to_string())?;
        let lines =
            entries.iter().rev().map(|entry| format!("{:.3} {}: {}\n", entry.time, entry.by, entry.what));
        Ok(lines.collect::<String>().into_bytes())
    }

    /// What crashed, newest first.
    pub(in crate::web) async fn crash_list(&self) -> Result<Vec<Crash>, ProblemDocument> {
        self.on_shelf(Shelf::list).await
    }

    /// The last words of one of them.
    pub(in crate::web) async fn last_words(&self, name: String) -> Result<String, ProblemDocument> {
        let asked = name.clone();
        let words = self.on_shelf(move |shelf| shelf.last_words(&asked)).await?;
        words.ok_or_else(|| {
            let name = capitalised(&quoted(&name));
            ProblemDocument::missing(format!(
                "{name} is not among the crashes; newer ones may have taken its place."
            ))
        })
    }

    async fn on_shelf<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ProblemDocument> {
        static ROOM: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(READS)));
        let unread = |why: &str| ProblemDocument::of_disk(&format!("the crashes cannot be read: {why}"));
        let late = || unread("the disk does not answer");
        let place = Arc::clone(&ROOM).try_acquire_owned().map_err(|_| late())?;
        let shelf = self.crashes().clone();
        let read = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&shelf)
        });
        let read = timeout(LONGEST_READ, read).await.map_err(|_| late())?;
        read.map_err(std::io::Error::other).flatten().map_err(|error| unread(&error.to_string()))
    }
}

impl IntoResponse for SupportFile {
    fn into_response(self) -> Response {
        // A host name has nothing that would need quoting.
        let name = HeaderValue::try_from(format!("attachment; filename=\"{}\"", self.name));
        let name = name.unwrap_or(HeaderValue::from_static("attachment"));
        ([(CONTENT_TYPE, HeaderValue::from_static(MEDIA)), (CONTENT_DISPOSITION, name)], self.bytes)
            .into_response()
    }
}

fn not_made(detail: &str) -> ProblemDocument {
    ProblemDocument::new(StatusCode::SERVICE_UNAVAILABLE, "No support file", detail).retry_after(60)
}

async fn in_time(part: impl Future<Output = Result<Vec<u8>, String>>) -> Result<Vec<u8>, String> {
    let late = |_| format!("no answer within {} s", LONGEST_READ.as_secs());
    timeout(LONGEST_READ, part).await.map_err(late)?
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec_pretty(value).map_err(|error| error.to_string())
}

fn text(part: Result<String, ProblemDocument>) -> Result<Vec<u8>, String> {
    part.map(String::into_bytes).map_err(|problem| problem.sentences())
}

async fn file(
    State(gateway): State<Gateway>,
    Extension(caller): Extension<Caller>,
) -> Result<SupportFile, ProblemDocument> {
    gateway.support_file(&caller).await
}

async fn list(State(gateway): State<Gateway>) -> Result<Json<Vec<Crash>>, ProblemDocument> {
    Ok(Json(gateway.crash_list().await?))
}

async fn one(State(gateway): State<Gateway>, Named(name): Named<String>) -> Result<String, ProblemDocument> {
    gateway.last_words(name).await
}
