//! The one file with `unsafe`: what the kernel offers and no safe wrapper covers.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};
use tokio::io::unix::AsyncFd;

use crate::guest_services::channel::{Port, Registers};

/// A socket that sends whole Ethernet frames by the interface with this index, and gets those of this protocol (its
/// Ethernet number).
/// Needs `CAP_NET_RAW`.
pub fn packet_socket(interface: u32, protocol: u16) -> io::Result<Socket> {
    let index = i32::try_from(interface).map_err(io::Error::other)?;
    // Protocol 0: no frame is queued before it is bound (packet(7)).
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: `sockaddr_ll` is a plain struct of integers, smaller than the storage and aligned within it.
    let link = unsafe { storage.view_as::<nix::libc::sockaddr_ll>() };
    link.sll_family = nix::libc::AF_PACKET as nix::libc::sa_family_t;
    link.sll_protocol = protocol.to_be();
    link.sll_ifindex = index;
    let length = size_of::<nix::libc::sockaddr_ll>() as nix::libc::socklen_t;
    // SAFETY: the storage holds an initialised `sockaddr_ll` of this length.
    let address = unsafe { SockAddr::new(storage, length) };
    socket.bind(&address)?;
    Ok(socket)
}

/// Ends the program that `command` starts as soon as this process ends, however that happens (`PR_SET_PDEATHSIG`,
/// prctl(2)). An orphan could otherwise still change what a new lbd has already read.
pub fn die_with_us(command: &mut tokio::process::Command) {
    let parent = getpid();
    // SAFETY: between fork and exec the closure makes two system calls and neither allocates nor locks.
    unsafe { command.pre_exec(move || ask_to_die_with(parent)) };
}

fn ask_to_die_with(parent: Pid) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have ended before the request was made.
    if getppid() == parent { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
}

/// Gives the program that `command` starts the right to set the clock, and no other of ours (capabilities(7)). Where lbd
/// does not have it itself, the program does not start.
pub fn may_set_clock(command: &mut tokio::process::Command) {
    // SAFETY: between fork and exec the closure makes two system calls and neither allocates nor locks.
    unsafe { command.pre_exec(take_ambient_clock) };
}

/// `linux/capability.h`.
const CAP_SYS_TIME: nix::libc::c_ulong = 25;

fn take_ambient_clock() -> io::Result<()> {
    use nix::libc::{PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, PR_CAP_AMBIENT_RAISE, c_ulong, prctl as call};
    const NOTHING: c_ulong = 0;
    let ambient = |order: nix::libc::c_int, capability: c_ulong| {
        // SAFETY: this call takes numbers only, and changes nothing but the calling thread's ambient set.
        match unsafe { call(PR_CAP_AMBIENT, order as c_ulong, capability, NOTHING, NOTHING) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    ambient(PR_CAP_AMBIENT_CLEAR_ALL, NOTHING)?;
    ambient(PR_CAP_AMBIENT_RAISE, CAP_SYS_TIME)
}

/// Bytes: what is as large gets pages of its own, which go back to the kernel when it is freed. glibc's own value at first.
const MAPPED_FROM: nix::libc::c_int = 128 << 10;
/// One for all threads, which seldom meet there; each heap more keeps what it once needed, a sixth of all memory with ten
/// thousand servers.
const HEAPS: nix::libc::c_int = 1;

/// Lets memory that a log-in or a large page needed for a moment go back to the kernel. By itself glibc takes the largest
/// block freed so far as the measure from when on blocks get pages of their own (mallopt(3), `M_MMAP_THRESHOLD`), and
/// would keep the megabytes of one password's hash for ever.
pub fn give_memory_back() {
    // SAFETY: both calls set a number of the allocator, and are made before there is another thread.
    let set = unsafe {
        nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, MAPPED_FROM)
            & nix::libc::mallopt(nix::libc::M_ARENA_MAX, HEAPS)
    };
    if set == 0 {
        tracing::warn!(
            "the memory allocator does not take its settings; lbd may keep more memory than it needs"
        );
    }
}

/// Lets tokio wait for `descriptor`.
pub fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` owns its open descriptor and always gives the same one; `AsyncFd` keeps it until after it
    // has let go of it.
    unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
}

/// VMware's port, where there is one.
#[derive(Debug)]
pub struct VmwarePort(());

impl VmwarePort {
    /// None elsewhere than on VMware's own virtual processor, which says so by itself (its `CPUID` leaf 0x40000000;
    /// VMware KB 1009458). Other hypervisors that have the port, like QEMU, have no channels behind it.
    pub fn find() -> Option<Self> {
        use std::arch::x86_64::__cpuid;
        const IS_VIRTUAL: u32 = 1 << 31;
        if __cpuid(1).ecx & IS_VIRTUAL == 0 {
            return None;
        }
        let leaf = __cpuid(0x4000_0000);
        let name = [leaf.ebx, leaf.ecx, leaf.edx].map(u32::to_le_bytes);
        (name.as_flattened() == b"VMwareVMware").then_some(Self(()))
    }
}

impl Port for VmwarePort {
    fn call(&mut self, registers: Registers) -> Registers {
        let Registers { mut eax, ebx, mut ecx, mut edx, mut esi, mut edi } = registers;
        let mut rbx = u64::from(ebx);
        // SAFETY: a short call of VMware's port changes these six registers and no memory, and a `VmwarePort` exists on
        // VMware alone. A hypervisor set to refuse the port to programs ends this process, which can do no harm to
        // memory either. `rbx` is the compiler's own register, so it is exchanged around the call.
        unsafe {
            std::arch::asm!(
                "xchg rbx, {rbx}",
                "in eax, dx",
                "xchg rbx, {rbx}",
                rbx = inout(reg) rbx,
                inout("eax") eax,
                inout("ecx") ecx,
                inout("edx") edx,
                inout("esi") esi,
                inout("edi") edi,
                options(nostack, preserves_flags),
            );
        }
        // The upper half is not part of the protocol.
        let ebx = (rbx & u64::from(u32::MAX)) as u32;
        Registers { eax, ebx, ecx, edx, esi, edi }
    }
}
