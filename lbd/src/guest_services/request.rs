//! What vSphere asks for: a line of text in the channel TCLO.

/// A state that the machine enters, with the number by which its success is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// "Shut Down Guest".
    Halt = 1,
    /// "Restart Guest".
    Restart = 2,
    /// It was switched on.
    PowerOn = 3,
    /// It goes on after a suspension, a snapshot or a move.
    Resume = 4,
    /// It will be suspended.
    Suspend = 5,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Begin anew, and say who you are.
    Reset,
    /// Are you there? This is the heartbeat.
    Ping,
    /// Say what you can do.
    Capabilities,
    /// The machine is to enter, or has entered, a state.
    State(State),
    /// Whether the address is to be told.
    TellAddress(bool),
    /// Another option, which changes nothing here.
    Option,
    /// Not understood.
    Unknown,
}

/// Reads one. Text that is no UTF-8, and whatever else nobody here understands, is [`Request::Unknown`].
pub fn parse(message: &[u8]) -> Request {
    let Ok(text) = std::str::from_utf8(message) else { return Request::Unknown };
    // Some hypervisors end a text as C does.
    let text = text.trim_end_matches(['\0', ' ']);
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match (word, rest) {
        ("reset", "") => Request::Reset,
        ("ping", "") => Request::Ping,
        ("Capabilities_Register", "") => Request::Capabilities,
        ("OS_Halt", _) => Request::State(State::Halt),
        ("OS_Reboot", _) => Request::State(State::Restart),
        ("OS_PowerOn", _) => Request::State(State::PowerOn),
        ("OS_Resume", _) => Request::State(State::Resume),
        ("OS_Suspend", _) => Request::State(State::Suspend),
        ("Set_Option", "broadcastIP 1") => Request::TellAddress(true),
        ("Set_Option", "broadcastIP 0") => Request::TellAddress(false),
        ("Set_Option", _) => Request::Option,
        _ => Request::Unknown,
    }
}
