//! Speaks with the hypervisor: one step at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use super::channel::{Channel, ChannelError, Port, Protocol};
use super::services::{End, Services, refused};

/// Different messages that are refused; versions of the hypervisor differ in a few.
const MOST_REFUSED: usize = 16;
/// Of a message, so much names it.
const NAME: usize = 40;

/// The conversation.
#[derive(Debug)]
pub struct Session<P> {
    port: P,
    services: Services,
    questions: Option<Channel>,
    answer: Option<&'static [u8]>,
    refused: BTreeSet<String>,
}

/// What a step brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing for anybody else.
    Quiet,
    /// The channel is open now.
    Opened,
    /// The machine is to end; vSphere has been told that it will.
    End(End),
}

impl<P: Port> Session<P> {
    /// No channel is open yet.
    pub fn new(port: P, services: Services) -> Self {
        Self { port, services, questions: None, answer: None, refused: BTreeSet::new() }
    }

    /// What is known, and told.
    pub fn services(&mut self) -> &mut Services {
        &mut self.services
    }

    /// The hypervisor's end of the conversation.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Opens the channel where there is none, tells the news, answers the last question, takes the next one. After an
    /// error the next step begins anew.
    pub fn step(&mut self, now: Duration) -> Result<Step, ChannelError> {
        let result = self.try_step(now);
        if result.is_err() {
            self.services.lost(now);
            self.answer = None;
            if let Some(channel) = self.questions.take() {
                channel.close(&mut self.port);
            }
        }
        result
    }

    fn try_step(&mut self, now: Duration) -> Result<Step, ChannelError> {
        let opened = self.questions.is_none();
        let questions = match self.questions.take() {
            Some(channel) => channel,
            None => Channel::open(&mut self.port, Protocol::Tclo)?,
        };
        let questions = &*self.questions.insert(questions);
        // An empty message asks for a question.
        questions.send(&mut self.port, self.answer.take().unwrap_or_default())?;
        let Some(question) = questions.receive(&mut self.port)? else {
            tell(&mut self.port, self.services.news(), &mut self.refused)?;
            self.services.heard_nothing(now);
            return Ok(if opened { Step::Opened } else { Step::Quiet });
        };
        let turn = self.services.hear(&question, now);
        tell(&mut self.port, turn.tell, &mut self.refused)?;
        match turn.end {
            None => {
                self.answer = Some(turn.answer);
                Ok(if opened { Step::Opened } else { Step::Quiet })
            }
            // Soon nobody is left to answer.
            Some(end) => questions.send(&mut self.port, turn.answer).map(|()| Step::End(end)),
        }
    }

    /// The machine does not end, after all.
    pub fn refuse(&mut self, end: End) -> Result<(), ChannelError> {
        tell(&mut self.port, vec![refused(end)], &mut self.refused)
    }

    /// What the hypervisor did not want to know so far, each by its beginning.
    pub fn refused(&self) -> &BTreeSet<String> {
        &self.refused
    }
}

/// One channel for all. What the hypervisor does not want to know is no failure: versions of it differ in that.
fn tell(
    port: &mut impl Port,
    messages: Vec<Vec<u8>>,
    refused: &mut BTreeSet<String>,
) -> Result<(), ChannelError> {
    if messages.is_empty() {
        return Ok(());
    }
    let channel = Channel::open(port, Protocol::Rpci)?;
    let told = messages.iter().try_for_each(|message| {
        channel.send(port, message)?;
        let answer = channel.receive(port)?.unwrap_or_default();
        if !answer.starts_with(b"1") && refused.len() < MOST_REFUSED {
            refused.insert(message[..message.len().min(NAME)].escape_ascii().to_string());
        }
        Ok(())
    });
    channel.close(port);
    told
}
