//! The virtual machine's devices, as items of the `VirtualHardwareSection` (DSP0243 8).

use super::xml::Element;
use crate::product::{ADAPTERS, NETWORK, PROFILES, Profile};

/// `InstanceID`s: profiles take 1 to 6, each its own (DSP0243 9.8 puts no two items under one number).
const SCSI: u32 = 7;
const DISK: u32 = 8;
const FIRST_ADAPTER: u32 = 9;
const VIDEO: u32 = 13;
const VMCI: u32 = 14;

/// Unit number of the first adapter on the virtual PCI bus, as VMware numbers them.
const FIRST_ADAPTER_UNIT: u32 = 7;

/// Everything that vSphere need not understand to run the machine is `ovf:required="false"`.
pub fn config(key: &str, value: &str) -> Element {
    Element::new("vmw:Config").attr("ovf:required", false).attr("vmw:key", key).attr("vmw:value", value)
}

/// All items, in the order of their numbers.
pub fn items() -> Vec<Element> {
    let processors = (1..).zip(&PROFILES).map(|(id, profile)| processor_item(id, profile));
    let memory = (4..).zip(&PROFILES).map(|(id, profile)| memory_item(id, profile));
    let adapters = (0..ADAPTERS).map(adapter_item);
    processors
        .chain(memory)
        .chain([scsi_item(), disk_item()])
        .chain(adapters)
        .chain([video_item(), vmci_item()])
        .collect()
}

/// An item with its elements in alphabetical order, then its `vmw:Config`: the order of VMware's schema.
fn item(mut rasd: Vec<Element>, configs: Vec<Element>) -> Element {
    rasd.sort_by_key(Element::name);
    Element::new("Item").children(rasd).children(configs)
}

fn common(id: u32, kind: u32, name: String) -> Vec<Element> {
    vec![
        Element::text("rasd:InstanceID", id),
        Element::text("rasd:ResourceType", kind),
        Element::text("rasd:ElementName", name),
    ]
}

fn processor_item(id: u32, profile: &Profile) -> Element {
    let mut rasd = common(id, 3, format!("{} virtual CPU(s)", profile.cpus));
    rasd.push(Element::text("rasd:AllocationUnits", "hertz * 10^6"));
    rasd.push(Element::text("rasd:Description", "Number of Virtual CPUs"));
    rasd.push(Element::text("rasd:VirtualQuantity", profile.cpus));
    item(rasd, vec![]).attr("ovf:configuration", profile.id)
}

fn memory_item(id: u32, profile: &Profile) -> Element {
    let mut rasd = common(id, 4, format!("{}MB of memory", profile.memory_mb));
    rasd.push(Element::text("rasd:AllocationUnits", "byte * 2^20"));
    rasd.push(Element::text("rasd:Description", "Memory Size"));
    rasd.push(Element::text("rasd:VirtualQuantity", profile.memory_mb));
    item(rasd, vec![]).attr("ovf:configuration", profile.id)
}

fn scsi_item() -> Element {
    let mut rasd = common(SCSI, 6, "SCSI Controller 0".to_owned());
    rasd.push(Element::text("rasd:Address", 0));
    rasd.push(Element::text("rasd:Description", "SCSI Controller"));
    rasd.push(Element::text("rasd:ResourceSubType", "VirtualSCSI"));
    item(rasd, vec![])
}

fn disk_item() -> Element {
    let mut rasd = common(DISK, 17, "Hard Disk 1".to_owned());
    rasd.push(Element::text("rasd:AddressOnParent", 0));
    rasd.push(Element::text("rasd:HostResource", "ovf:/disk/vmdisk1"));
    rasd.push(Element::text("rasd:Parent", SCSI));
    item(rasd, vec![])
}

/// `AutomaticAllocation` is "connected at power on".
fn adapter_item(number: u32) -> Element {
    let mut rasd = common(FIRST_ADAPTER + number, 10, format!("Ethernet {}", number + 1));
    rasd.push(Element::text("rasd:AddressOnParent", FIRST_ADAPTER_UNIT + number));
    rasd.push(Element::text("rasd:AutomaticAllocation", number == 0));
    rasd.push(Element::text("rasd:Connection", NETWORK));
    rasd.push(Element::text("rasd:Description", format!("eth{number} of the appliance")));
    rasd.push(Element::text("rasd:ResourceSubType", "VmxNet3"));
    item(rasd, vec![])
}

fn video_item() -> Element {
    let mut rasd = common(VIDEO, 24, "Video card".to_owned());
    rasd.push(Element::text("rasd:AutomaticAllocation", false));
    let configs = vec![
        config("enable3DSupport", "false"),
        config("use3dRenderer", "automatic"),
        config("useAutoDetect", "false"),
        config("videoRamSizeInKB", "4096"),
    ];
    item(rasd, configs).attr("ovf:required", false)
}

fn vmci_item() -> Element {
    let mut rasd = common(VMCI, 1, "VMCI device".to_owned());
    rasd.push(Element::text("rasd:AutomaticAllocation", false));
    rasd.push(Element::text("rasd:ResourceSubType", "vmware.vmci"));
    item(rasd, vec![config("allowUnrestrictedCommunication", "false")]).attr("ovf:required", false)
}
