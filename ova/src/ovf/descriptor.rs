//! Writes the descriptor: the envelope and its sections, in the order in which vSphere exports them.

use std::io;

use super::NAMESPACES;
use super::hardware::{config, items};
use super::property::PROPERTIES;
use super::xml::Element;
use crate::product::{FileNames, NAME, NETWORK, PRODUCT, PROFILES, Profile, Version};

/// What the descriptor says that differs from one build to another.
#[derive(Debug, Clone, Copy)]
pub struct Package<'a> {
    /// The product's version.
    pub version: &'a Version,
    /// Names of the files in the OVA.
    pub names: &'a FileNames,
    /// Size of the VMDK file.
    pub vmdk_bytes: u64,
    /// Size of the disk.
    pub disk_bytes: u64,
    /// Bytes of the disk that are not zero, by whole grains.
    pub populated_bytes: u64,
}

/// The text of the `.ovf` file.
pub fn descriptor(package: &Package<'_>) -> io::Result<String> {
    let envelope = Element::new("Envelope").attr("xmlns", NAMESPACES[0].1);
    let envelope =
        PREFIXES.iter().zip(&NAMESPACES).fold(envelope, |e, (prefix, (_, uri))| e.attr(prefix, uri));
    envelope
        .child(references(package))
        .child(disk_section(package))
        .child(network_section())
        .child(deployment_options())
        .child(virtual_system(package))
        .document()
}

/// Declarations of [`NAMESPACES`], in their order.
const PREFIXES: [&str; NAMESPACES.len()] =
    ["xmlns:ovf", "xmlns:rasd", "xmlns:vmw", "xmlns:vssd", "xmlns:xsi"];

/// DSP0243 7.1.
fn references(package: &Package<'_>) -> Element {
    let file = Element::new("File").attr("ovf:href", &package.names.vmdk).attr("ovf:id", "file1");
    Element::new("References").child(file.attr("ovf:size", package.vmdk_bytes))
}

/// DSP0243 9.1.
fn disk_section(package: &Package<'_>) -> Element {
    let disk = Element::new("Disk")
        .attr("ovf:capacity", package.disk_bytes)
        .attr("ovf:capacityAllocationUnits", "byte")
        .attr("ovf:diskId", "vmdisk1")
        .attr("ovf:fileRef", "file1")
        .attr("ovf:format", "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized")
        .attr("ovf:populatedSize", package.populated_bytes);
    section("DiskSection", "The disk of the appliance").child(disk)
}

/// DSP0243 9.2.
fn network_section() -> Element {
    let text = "Network of all adapters; only the first one, eth0, is connected at power-on.";
    let network = Element::new("Network").attr("ovf:name", NETWORK).child(Element::text("Description", text));
    section("NetworkSection", "The networks that the appliance uses").child(network)
}

/// DSP0243 9.8.
fn deployment_options() -> Element {
    let configuration = |(index, profile): (usize, &Profile)| {
        let element = Element::new("Configuration").attr("ovf:id", profile.id);
        let element = if index == 0 { element.attr("ovf:default", true) } else { element };
        let gigabytes = profile.memory_mb / 1024;
        let text = format!("{} vCPU, {gigabytes} GB RAM", profile.cpus);
        element.child(Element::text("Label", profile.id)).child(Element::text("Description", text))
    };
    section("DeploymentOptionSection", "Sizes of the appliance")
        .children(PROFILES.iter().enumerate().map(configuration))
}

/// DSP0243 7.2.
fn virtual_system(package: &Package<'_>) -> Element {
    section("VirtualSystem", "A load balancer for DICOM")
        .attr("ovf:id", NAME)
        .child(Element::text("Name", NAME))
        .child(operating_system())
        .child(hardware_section())
        .child(product_section(package.version))
}

/// DSP0243 9.9. With `otherLinux64Guest` vSphere refuses pvscsi; `other4xLinux64Guest` needs newer hardware.
fn operating_system() -> Element {
    section("OperatingSystemSection", "The operating system of the appliance")
        .attr("ovf:id", 101)
        .attr("vmw:osType", "other3xLinux64Guest")
        .child(Element::text("Description", "Linux, 64 bit"))
}

/// DSP0243 8.1.
fn hardware_section() -> Element {
    let system = Element::new("System")
        .child(Element::text("vssd:ElementName", "Virtual Hardware Family"))
        .child(Element::text("vssd:InstanceID", 0))
        .child(Element::text("vssd:VirtualSystemIdentifier", NAME))
        .child(Element::text("vssd:VirtualSystemType", "vmx-11"));
    section("VirtualHardwareSection", "The virtual hardware of the appliance")
        .attr("ovf:transport", "com.vmware.guestInfo")
        .child(system)
        .children(items())
        .child(config("cpuHotAddEnabled", "false"))
        .child(config("firmware", "efi"))
        .child(config("memoryHotAddEnabled", "false"))
        .child(config("tools.syncTimeWithHost", "false"))
        .child(config("tools.toolsUpgradePolicy", "manual"))
}

/// DSP0243 9.5. A `Category` heads the properties that follow it.
fn product_section(version: &Version) -> Element {
    let mut section = section("ProductSection", "The product and its first settings")
        .child(Element::text("Product", PRODUCT))
        .child(Element::text("Vendor", PRODUCT))
        .child(Element::text("Version", version))
        .child(Element::text("FullVersion", version));
    let mut category = "";
    for property in &PROPERTIES {
        if property.category != category {
            category = property.category;
            section = section.child(Element::text("Category", category));
        }
        section = section.child(property.element());
    }
    section
}

fn section(name: &'static str, info: &str) -> Element {
    Element::new(name).child(Element::text("Info", info))
}
