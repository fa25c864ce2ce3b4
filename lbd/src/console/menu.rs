//! What an administrator can do at the console.

use super::facts::{Daemon, Facts};
use super::text::{WIDTH, item, plain};
use super::{Prompt, fault};

/// Lines of a page, so that with its heading and the prompt it fits a screen of 24.
const PAGE: usize = 18;

/// What only the first process can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The machine starts again.
    Restart,
    /// It stays off.
    PowerOff,
    /// It starts again and remembers nothing but the installed version.
    FactoryReset,
    /// lbd alone starts again.
    RestartLbd,
}

impl Order {
    /// The first process's own word for it (`init/src/control.rs`).
    pub fn word(self) -> &'static str {
        match self {
            Self::Restart => "reboot",
            Self::PowerOff => "poweroff",
            Self::FactoryReset => "factory-reset",
            Self::RestartLbd => "restart-lbd",
        }
    }

    /// It ends the machine.
    pub fn ends_machine(self) -> bool {
        self != Self::RestartLbd
    }

    /// Asks for the confirmation.
    pub(super) fn question(self) -> &'static str {
        match self {
            Self::Restart => "Type yes to restart: ",
            Self::PowerOff => "Type yes to switch off: ",
            Self::FactoryReset => "Type erase to erase everything: ",
            Self::RestartLbd => "Type yes to restart lbd: ",
        }
    }

    /// What cannot be undone takes a word that nobody types out of habit.
    pub(super) fn is_confirmed_by(self, line: &str) -> bool {
        let word = if self == Self::FactoryReset { "erase" } else { "yes" };
        line.eq_ignore_ascii_case(word)
    }

    pub(super) fn consequence(self) -> &'static str {
        match self {
            Self::Restart => {
                "The appliance restarts: connections end, and nothing is balanced for about half a minute."
            }
            Self::PowerOff => {
                "The appliance is switched off: connections end, and nothing is balanced until somebody switches \
                 it on again."
            }
            Self::FactoryReset => {
                "Everything is erased: configuration, users, certificates, logs and figures. Connections end, and \
                 nothing is balanced until the appliance is set up again. The installed version stays. Settings that \
                 the hypervisor hands over (OVF properties) count again as at the first boot. Data that is erased may \
                 still be found on the virtual disk by who has it: to throw the appliance away, delete that disk."
            }
            Self::RestartLbd => {
                "The daemon lbd starts again. Established connections and the balancing of new ones go on meanwhile; \
                 for some seconds nothing is checked, WebUI and SNMP do not answer, and connections of services that \
                 are forwarded by proxy end."
            }
        }
    }
}

/// Where in the menu somebody is.
#[derive(Debug, Default)]
pub struct Menu(Page);

#[derive(Debug, Default)]
enum Page {
    #[default]
    Choices,
    /// These lines are shown, from this one on, once lbd has been asked.
    Reading(Subject, usize),
    Confirming(Order),
}

#[derive(Debug, Clone, Copy)]
enum Subject {
    Status,
    Network,
}

/// What follows from a choice.
#[derive(Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Only this is to be said.
    Text(String),
    /// The menu is to be shown again.
    Again,
    /// A page is to be shown, with what lbd says now.
    Status,
    /// The same.
    Network,
    /// The wizard is to begin.
    Wizard,
    /// The tools are to be shown.
    Tools,
    /// A new password is to be typed.
    NewPassword,
    /// The first process is to do this.
    Order(Order),
    /// The installed versions are to be shown.
    Versions,
    /// The session is to end.
    LogOut,
}

impl Menu {
    /// The choices.
    pub fn screen(&self, host_name: &str) -> String {
        format!(
            "\n-- {} --\n\n\
             \x20 1  Status of the services\n\
             \x20 2  Network\n\
             \x20 3  Set up the management network again (wizard)\n\
             \x20 4  Change your password\n\
             \x20 5  Restart the appliance\n\
             \x20 6  Switch the appliance off\n\
             \x20 7  Restart the daemon lbd alone\n\
             \x20 8  Factory reset\n\
             \x20 9  Tools: ping, traceroute, DNS, TCP, DICOM C-ECHO, neighbours\n\
             \x2010  Software versions\n\
             \x20 0  Log out\n\n",
            plain(host_name)
        )
    }

    /// What stands before the cursor.
    pub fn prompt(&self) -> Prompt {
        Prompt::new(match self.0 {
            Page::Choices => "Your choice: ",
            Page::Reading(..) => "Enter goes on, q back to the menu: ",
            Page::Confirming(order) => order.question(),
        })
    }

    /// A line was typed.
    pub fn take(&mut self, line: &str) -> Chosen {
        match &mut self.0 {
            Page::Choices => self.choice(line),
            Page::Reading(..) if !line.is_empty() => Chosen::Again,
            Page::Reading(subject, from) => {
                *from += PAGE;
                subject.chosen()
            }
            Page::Confirming(order) if order.is_confirmed_by(line) => Chosen::Order(*order),
            Page::Confirming(_) => Chosen::Again,
        }
    }

    fn choice(&mut self, line: &str) -> Chosen {
        match line {
            "1" => self.read(Subject::Status),
            "2" => self.read(Subject::Network),
            "3" => Chosen::Wizard,
            "4" => Chosen::NewPassword,
            "5" => self.confirm(Order::Restart),
            "6" => self.confirm(Order::PowerOff),
            "7" => self.confirm(Order::RestartLbd),
            "8" => self.confirm(Order::FactoryReset),
            "9" => Chosen::Tools,
            "10" => Chosen::Versions,
            "0" => Chosen::LogOut,
            "" => Chosen::Again,
            _ => Chosen::Text(fault("Type one of the numbers, then Enter.")),
        }
    }

    fn read(&mut self, subject: Subject) -> Chosen {
        self.0 = Page::Reading(subject, 0);
        subject.chosen()
    }

    fn confirm(&mut self, order: Order) -> Chosen {
        self.0 = Page::Confirming(order);
        Chosen::Text(fault(order.consequence()))
    }

    /// The page that was asked for, now that lbd has answered.
    pub fn page(&mut self, daemon: &Daemon) -> String {
        let Page::Reading(subject, from) = &mut self.0 else { return String::new() };
        let facts = match daemon {
            Daemon::Answers(facts) => facts,
            Daemon::Starting => return fault("lbd is starting."),
            Daemon::Silent(why) => return fault(&format!("lbd does not answer: {why}.")),
        };
        let lines = match subject {
            Subject::Status => status(facts),
            Subject::Network => network(facts),
        };
        if *from >= lines.len() {
            // Read to the end: it begins anew.
            *from = 0;
        }
        let shown = lines.iter().skip(*from).take(PAGE);
        let pages = lines.len().div_ceil(PAGE);
        let heading = format!("\n-- {}, page {} of {pages} --\n", subject.heading(), *from / PAGE + 1);
        std::iter::once(heading).chain(shown.map(|line| format!("{line}\n"))).collect()
    }
}

impl Subject {
    fn chosen(self) -> Chosen {
        match self {
            Self::Status => Chosen::Status,
            Self::Network => Chosen::Network,
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Status => "Status",
            Self::Network => "Network",
        }
    }
}

fn status(facts: &Facts) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", plain(&facts.host_name), facts.state), String::new()];
    for problem in &facts.problems {
        lines.extend(item("!", problem).lines().map(str::to_owned));
    }
    if facts.services.is_empty() {
        lines.push("There is no virtual service yet: set one up in the WebUI.".into());
    }
    lines.extend(facts.services.iter().map(|line| plain(line).chars().take(WIDTH).collect()));
    lines
}

fn network(facts: &Facts) -> Vec<String> {
    let mut lines = vec![format!("WebUI: {}", plain(&facts.address())), String::new()];
    for adapter in &facts.adapters {
        lines.push(format!("{:<10} {}  {}", plain(&adapter.name), plain(&adapter.hardware), adapter.link));
        lines.extend(adapter.addresses.iter().map(|address| format!("{:11}{}", "", plain(address))));
    }
    let network = facts.document.network.as_ref();
    let gateway = network.and_then(|network| network.default_gateway.as_deref()).unwrap_or("none");
    let dns = network.map(|network| network.dns_servers.join(", ")).filter(|dns| !dns.is_empty());
    lines.push(String::new());
    lines.push(format!("Default gateway: {}", plain(gateway)));
    lines.push(format!("DNS servers: {}", plain(dns.as_deref().unwrap_or("none"))));
    lines
}
