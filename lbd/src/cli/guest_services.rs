//! `lbd guest-services`: the process behind [`crate::guest_services`]. init starts it, and again when it ends.
//!
//! One loop, in this order: wait for the next look at the channel or for new facts; one step of the conversation; leave
//! word of it; an order to the first process, if vSphere wants one. Asking lbd for its name may take long, so a thread
//! of its own does it: the heartbeat goes on.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use jiff::Timestamp;

use super::client::Call;
use super::failure::CommandError;
use super::first_process;
use super::outlived::is_outlived;
use super::way::Way;
use crate::appliance::word_of_guest_services;
use crate::guest_services::channel::Port;
use crate::guest_services::facts::Facts;
use crate::guest_services::here;
use crate::guest_services::services::{End, Services};
use crate::guest_services::session::{Session, Step};
use crate::sys::VmwarePort;
use crate::update::INIT_SOCKET;
use crate::view::GuestServicesView;
use crate::web::api::ApplianceDocument;

/// How often the facts are looked at: people look at vSphere less often.
const LOOK: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct GuestServices {
    /// Socket of the running daemon
    #[arg(long, value_name = "SOCKET", default_value = "/run/evenkeel/lbd.sock")]
    control_socket: PathBuf,
    /// Socket of the appliance's first process, which restarts the machine and switches it off
    #[arg(long, value_name = "SOCKET", default_value = INIT_SOCKET)]
    init_socket: PathBuf,
}

/// Runs on VMware until another version of lbd takes over, and not at all elsewhere.
pub(super) fn carry_out(
    GuestServices { control_socket, init_socket }: GuestServices,
) -> Result<(), CommandError> {
    let Some(port) = VmwarePort::find() else {
        return Err("this machine does not run on VMware: there is nobody to serve as a guest".into());
    };
    let word = word_of_guest_services(&control_socket);
    let (sender, news) = sync_channel(1);
    let mut name = kernels_name();
    let first = here::facts(name.clone());
    std::thread::spawn(move || {
        loop {
            if let Some(newer) = lbds_name(&control_socket) {
                name = newer;
            }
            if sender.send(here::facts(name.clone())).is_err() {
                return;
            }
            std::thread::sleep(LOOK);
        }
    });
    let session = Session::new(port, Services::new(first));
    let mut agent = Agent { session, start: Instant::now(), init_socket, word, state: None };
    while !is_outlived() {
        agent.go_on(&news);
    }
    println!("guest services: another version of lbd takes over");
    Ok(())
}

/// Until lbd says another one.
fn kernels_name() -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "lbmaster".into())
}

fn lbds_name(socket: &Path) -> Option<String> {
    let call = Call::new(Method::GET, "/api/v1/appliance");
    let about: ApplianceDocument = call.send(&Way::on_socket(socket.to_owned())).ok()?.read().ok()?;
    Some(about.host_name)
}

struct Agent<P> {
    session: Session<P>,
    start: Instant,
    init_socket: PathBuf,
    /// Where word is left of how it goes.
    word: PathBuf,
    /// What was said last.
    state: Option<Result<(), String>>,
}

impl<P: Port> Agent<P> {
    fn go_on(&mut self, news: &Receiver<Facts>) {
        let next = self.session.services().next_deadline();
        match news.recv_timeout(next.saturating_sub(self.start.elapsed())) {
            Ok(facts) => return self.session.services().know(facts),
            // The other thread ends with this process only.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let known = self.session.refused().len();
        let step = self.session.step(self.start.elapsed());
        if self.session.refused().len() > known {
            println!("guest services: VMware does not want to know: {:?}", self.session.refused());
        }
        self.leave_word(step.as_ref().map(|_| ()).map_err(ToString::to_string));
        if let Ok(Step::End(end)) = step {
            self.end(end);
        }
    }

    /// Once for each change.
    fn leave_word(&mut self, state: Result<(), String>) {
        if self.state.as_ref() == Some(&state) {
            return;
        }
        let reason = match &state {
            Ok(()) => "vSphere is served".to_owned(),
            Err(why) => format!("{why}; it is tried again"),
        };
        println!("guest services: {reason}");
        let view = GuestServicesView { running: state.is_ok(), since: Timestamp::now(), reason };
        if let Err(error) = write(&self.word, &view) {
            println!("guest services: writing {}: {error}", self.word.display());
        }
        self.state = Some(state);
    }

    fn end(&mut self, end: End) {
        println!("guest services: somebody asks in vSphere that this machine ends: {}", end.word());
        if let Err(why) = first_process::order(&self.init_socket, end.word()) {
            println!("guest services: {why}");
            // What cannot be told is seen in vSphere: the machine goes on.
            let _ = self.session.refuse(end);
        }
    }
}

/// Never half of it.
fn write(file: &Path, view: &GuestServicesView) -> std::io::Result<()> {
    let new = file.with_extension("new");
    std::fs::write(&new, serde_json::to_vec(view)?)?;
    std::fs::rename(new, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest_services::fake::Vmware;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixListener;

    fn agent(folder: &Path, vmware: Vmware) -> Agent<Vmware> {
        let session = Session::new(vmware, Services::new(here::facts("lb1".into())));
        let (init_socket, word) = (folder.join("init.sock"), folder.join("word.json"));
        Agent { session, start: Instant::now(), init_socket, word, state: None }
    }

    fn word(folder: &Path) -> GuestServicesView {
        serde_json::from_slice(&std::fs::read(folder.join("word.json")).unwrap()).unwrap()
    }

    #[test]
    fn restart_guest_reaches_the_first_process() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("init.sock")).unwrap();
        let init = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut line = [0; 7];
            client.read_exact(&mut line).unwrap();
            client.write_all(b"ok\n").unwrap();
            line
        });
        let (_sender, news) = sync_channel(1);
        let mut agent = agent(folder.path(), Vmware::asking(&["OS_Reboot"]));
        agent.go_on(&news);
        assert_eq!(&init.join().unwrap(), b"reboot\n");
        let said = agent.session.port().take_transcript();
        assert!(said.ends_with("Tclo > OK "), "{said}");
        assert!(word(folder.path()).running);
    }

    #[test]
    fn an_order_that_nobody_takes_and_a_channel_that_nobody_opens_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, news) = sync_channel(1);
        let mut agent = agent(folder.path(), Vmware::asking(&["OS_Halt"]));
        agent.go_on(&news);
        let said = agent.session.port().take_transcript();
        assert!(said.contains("Rpci > tools.os.statechange.status 0 1"), "{said}");
        agent.session.port().refuses = true;
        agent.session.port().forget_channels();
        agent.go_on(&news);
        let told = word(folder.path());
        assert!(!told.running && told.reason.contains("failed while a message was sent"), "{told:?}");
        sender.send(here::facts("lb2".into())).unwrap();
        agent.go_on(&news);
        assert_eq!(word(folder.path()), told, "new facts are no step");
    }

    #[test]
    fn the_port_is_found_on_vmware_and_nowhere_else() {
        let vendor = std::fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
        assert_eq!(VmwarePort::find().is_some(), vendor.starts_with("VMware"), "{vendor}");
    }
}
