//! The wizard of the first boot: its screens in the order of the product's specification, each with what was typed
//! before as its default, so that going back loses nothing.

mod answers;
mod check;
mod screens;

use std::net::Ipv4Addr;

pub use answers::{Answers, Bond, Vlan, document};
pub use screens::complete;

use super::facts::{Adapter, Facts};
use super::text::item;
use super::{Prompt, fault};
use crate::config::values::Fault;
use crate::config::{Document, Problem, validate};
use crate::web::password::check_password;

/// What is asked, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    ManagementIp,
    PeerRecovery,
    CentralManagement,
    Interfaces,
    Bonding,
    BondMembers,
    BondMode,
    Vlan,
    VlanId,
    ManagementInterface,
    Address,
    Gateway,
    DnsServers,
    Password,
    PasswordAgain,
    Summary,
}

/// What follows from a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// This is to be said; it ends in the screen that comes next, where that is another one.
    Text(String),
    /// Does somebody else use the address? The answer is for [`Wizard::probed`].
    Probe(String, Ipv4Addr),
    /// All is typed and confirmed.
    Apply(Answers),
    /// Nothing is to be changed.
    Left,
}

/// The wizard at one of its screens.
#[derive(Debug)]
pub struct Wizard {
    screen: Screen,
    answers: Answers,
    /// Typed once.
    first_password: String,
    adapters: Vec<Adapter>,
    /// The configuration in force.
    present: Document,
    has_password: bool,
    has_keyboard: bool,
}

impl Wizard {
    /// At its first screen, with what is in force as defaults.
    pub fn new(facts: &Facts, has_keyboard: bool) -> Self {
        Self {
            screen: Screen::ManagementIp,
            answers: Answers::present(&facts.document),
            first_password: String::new(),
            adapters: facts.adapters.clone(),
            present: facts.document.clone(),
            has_password: facts.is_configured,
            has_keyboard,
        }
    }

    /// The screen, without its prompt.
    pub fn screen(&self) -> String {
        screens::text(self)
    }

    /// What stands before the cursor, with the default in brackets.
    pub fn prompt(&self) -> Prompt {
        screens::prompt(self)
    }

    /// A password was typed.
    pub fn sets_password(&self) -> bool {
        self.answers.password.is_some()
    }

    /// The screens that these answers lead over.
    fn path(&self) -> Vec<Screen> {
        use Screen::*;
        let Answers { configures, has_bond, has_vlan, .. } = self.answers;
        let mut path = vec![ManagementIp, PeerRecovery, CentralManagement];
        if configures {
            path.extend([Interfaces, Bonding]);
            path.extend([BondMembers, BondMode].into_iter().filter(|_| has_bond));
            path.push(Vlan);
            path.extend(Some(VlanId).filter(|_| has_vlan));
            path.extend([ManagementInterface, Address, Gateway, DnsServers]);
        }
        path.extend([Password, PasswordAgain, Summary]);
        path
    }

    /// A line was typed.
    pub fn take(&mut self, line: &str) -> Step {
        // Nobody's password is so short.
        match line.trim().to_ascii_lowercase().as_str() {
            "b" | "back" => return self.back(),
            "c" | "cancel" => return Step::Left,
            _ => {}
        }
        let is_secret = matches!(self.screen, Screen::Password | Screen::PasswordAgain);
        match self.answer(if is_secret { line } else { line.trim() }) {
            Ok(step) => step,
            Err(Fault { problem, remedy }) => Step::Text(fault(&format!("{problem}; {remedy}."))),
        }
    }

    fn answer(&mut self, line: &str) -> Result<Step, Fault> {
        match self.screen {
            Screen::ManagementIp => {
                self.answers.configures = check::yes_or_no(line, self.answers.configures)?
            }
            Screen::PeerRecovery | Screen::CentralManagement => {
                if check::yes_or_no(line, false)? {
                    let turn = fault(screens::not_built(self.screen));
                    return Ok(Step::Text(turn + &self.forward()));
                }
            }
            Screen::Interfaces => {}
            Screen::Bonding => self.answers.has_bond = check::yes_or_no(line, self.answers.has_bond)?,
            Screen::BondMembers => self.answers.bond.members = check::members(line, self)?,
            Screen::BondMode => self.answers.bond.mode = check::mode(line, &self.answers.bond.mode)?,
            Screen::Vlan => self.answers.has_vlan = check::yes_or_no(line, self.answers.has_vlan)?,
            Screen::VlanId => self.answers.vlan.id = check::vlan_id(line, self.answers.vlan.id)?,
            Screen::ManagementInterface => {
                let interface = check::interface(line, self)?;
                self.answers.address_is_known &= interface == self.answers.interface;
                self.answers.interface = interface;
            }
            Screen::Address => return self.address(line),
            Screen::Gateway => self.answers.gateway = check::gateway(line, &self.answers)?,
            Screen::DnsServers => self.answers.dns = check::dns(line, &self.answers.dns)?,
            Screen::Password => return self.password(line),
            Screen::PasswordAgain => return Ok(self.password_again(line)),
            Screen::Summary => return self.summary(line),
        }
        Ok(Step::Text(self.forward()))
    }

    fn address(&mut self, line: &str) -> Result<Step, Fault> {
        let network = check::address(line, &self.answers, &self.present)?;
        let is_known = self.answers.address == Some(network) && self.answers.address_is_known;
        (self.answers.address, self.answers.address_is_known) = (Some(network), is_known);
        let interface = self.answers.interface.clone();
        let std::net::IpAddr::V4(address) = network.address else { return Ok(Step::Text(self.forward())) };
        let is_our_own = address.to_string() == self.present.management.address;
        // A bond or a VLAN is not there yet, so that nobody can be asked over it.
        let can_ask = self.adapters.iter().any(|adapter| adapter.name == interface);
        if is_known || is_our_own || !can_ask {
            return Ok(Step::Text(self.forward()));
        }
        Ok(Step::Probe(interface, address))
    }

    /// Who uses the address that was typed last, or why nobody knows.
    pub fn probed(&mut self, found: Result<Option<String>, String>) -> Step {
        match found {
            Ok(Some(who)) => {
                let text = format!(
                    "This address is in use already, by the device with the Ethernet address {who}; give another \
                     one, or switch that device off."
                );
                Step::Text(fault(&text))
            }
            Ok(None) => {
                self.answers.address_is_known = true;
                Step::Text(self.forward())
            }
            Err(why) => {
                let note = format!("Whether somebody else uses this address is not known: {why}.");
                Step::Text(fault(&note) + &self.forward())
            }
        }
    }

    fn password(&mut self, line: &str) -> Result<Step, Fault> {
        let can_stay = self.has_password || self.answers.password.is_some();
        if line.is_empty() && can_stay {
            self.screen = Screen::Summary;
            return Ok(Step::Text(self.screen()));
        }
        check_password(line)?;
        line.clone_into(&mut self.first_password);
        Ok(Step::Text(self.forward()))
    }

    fn password_again(&mut self, line: &str) -> Step {
        let first = std::mem::take(&mut self.first_password);
        if line != first {
            self.screen = Screen::Password;
            return Step::Text(fault("The two are not the same; type the password twice.") + &self.screen());
        }
        self.answers.password = Some(first);
        Step::Text(self.forward())
    }

    fn summary(&mut self, line: &str) -> Result<Step, Fault> {
        if !check::yes_or_no(line, true)? {
            return Ok(Step::Left);
        }
        match validate(document(&self.present, &self.answers)) {
            Ok(_) => Ok(Step::Apply(self.answers.clone())),
            Err(problems) => Ok(Step::Text(self.refused(&problems))),
        }
    }

    /// What lbd would refuse, it is not asked.
    fn refused(&self, problems: &[Problem]) -> String {
        let heading = fault("This cannot be applied. Go back with b and correct it.");
        let items = problems.iter().map(|problem| item("!", &problem.to_string()));
        heading + &items.collect::<String>()
    }

    /// On to the next screen.
    fn forward(&mut self) -> String {
        let mut path = self.path().into_iter().skip_while(|screen| *screen != self.screen).skip(1);
        self.screen = path.next().unwrap_or(Screen::Summary);
        self.screen()
    }

    fn back(&mut self) -> Step {
        let before = self.path().into_iter().take_while(|screen| *screen != self.screen);
        // What is typed twice is typed from its beginning.
        match before.filter(|screen| *screen != Screen::PasswordAgain).last() {
            Some(screen) => {
                self.screen = screen;
                Step::Text(self.screen())
            }
            None => Step::Text(fault("This is the first screen; c leaves the wizard.")),
        }
    }
}
