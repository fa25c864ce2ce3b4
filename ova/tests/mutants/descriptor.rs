//! Mutants of the descriptor.

use super::Edit::{Ovf, OvfText};
use super::{Mutant, replace};

const GOOD_SIZE: &str = "ovf:size=\"";

pub const MUTANTS: &[Mutant] = &[
    ("ovf-xml", Ovf("</Envelope>", "")),
    ("ovf-xml", Ovf("<Envelope", "<!DOCTYPE Envelope [<!ENTITY a 'b'>]><Envelope")),
    ("ovf-xml", OvfText(|ovf| replace(ovf, "</Envelope>", &format!("{}</Envelope>", " ".repeat(300_000))))),
    ("ovf-prefixes", Ovf("xmlns:vssd=", "xmlns:other=")),
    ("ovf-envelope", Ovf("envelope/1", "envelope/2")),
    ("file-references", Ovf("</References>", "<File ovf:href=\"evenkeel.iso\" ovf:id=\"f\"/></References>")),
    ("file-size", Ovf(GOOD_SIZE, "ovf:size=\"1")),
    (
        "no-nvram",
        Ovf("</VirtualHardwareSection>", "<vmw:ExtraConfig vmw:key=\"nvram\"/></VirtualHardwareSection>"),
    ),
    ("disk-capacity", Ovf("ovf:capacity=\"21474836480\"", "ovf:capacity=\"21474836479\"")),
    ("disk-capacity", Ovf("</DiskSection>", "<Disk ovf:capacity=\"1\" ovf:diskId=\"b\"/></DiskSection>")),
    ("disk-units", Ovf("capacityAllocationUnits=\"byte\"", "capacityAllocationUnits=\"byte * 2^30\"")),
    ("disk-format", Ovf("#streamOptimized", "#sparse")),
    ("disk-file", Ovf("fileRef=\"file1\"", "fileRef=\"file2\"")),
    ("disk-populated-size", Ovf("populatedSize=\"", "populatedSize=\"1")),
    ("network-names", Ovf("</NetworkSection>", "<Network ovf:name=\"LAN\"/></NetworkSection>")),
    ("profiles-place", OvfText(move_profiles)),
    ("profiles-names", Ovf("<Configuration ovf:id=\"v4000\">", "<Configuration ovf:id=\"v5000\">")),
    ("profiles-default", Ovf(" ovf:default=\"true\"", "")),
    ("profiles-default", Ovf("ovf:id=\"v4000\"", "ovf:id=\"v4000\" ovf:default=\"true\"")),
    ("profiles-text", Ovf("<Label>v4000</Label>", "")),
    ("profile-processors", Ovf("<rasd:VirtualQuantity>2<", "<rasd:VirtualQuantity>3<")),
    ("profile-processors", Ovf("<Item ovf:configuration=\"v1000\">", "<Item>")),
    ("profile-memory", Ovf("<rasd:VirtualQuantity>4096<", "<rasd:VirtualQuantity>4<")),
    ("processor-units", Ovf("hertz * 10^6", "MHz")),
    ("memory-units", Ovf("byte * 2^20", "MegaBytes")),
    ("os-type", Ovf("other3xLinux64Guest", "otherLinux64Guest")),
    ("os-type", Ovf("ovf:id=\"101\"", "ovf:id=\"100\"")),
    ("hardware-version", Ovf("vmx-11", "vmx-13")),
    ("firmware", Ovf("vmw:value=\"efi\"", "vmw:value=\"bios\"")),
    (
        "hot-add",
        Ovf(
            "vmw:key=\"memoryHotAddEnabled\" vmw:value=\"false\"",
            "vmw:key=\"memoryHotAddEnabled\" vmw:value=\"true\"",
        ),
    ),
    ("tools-settings", Ovf("vmw:value=\"manual\"", "vmw:value=\"upgradeAtPowerCycle\"")),
    ("config-optional", Ovf("<vmw:Config ovf:required=\"false\"", "<vmw:Config ovf:required=\"true\"")),
    ("config-optional", Ovf("<vmw:Config ovf:required=\"false\"", "<vmw:Config")),
    (
        "no-secure-boot",
        Ovf(
            "vmw:key=\"tools.toolsUpgradePolicy\"",
            "vmw:other=\"bootOptions.efiSecureBootEnabled\" vmw:key=\"tools.toolsUpgradePolicy\"",
        ),
    ),
    (
        "no-legacy-devices",
        OvfText(|ovf| {
            add_item(ovf, "<rasd:InstanceID>20</rasd:InstanceID><rasd:ResourceType>15</rasd:ResourceType>")
        }),
    ),
    (
        "no-legacy-devices",
        OvfText(|ovf| {
            add_item(ovf, "<rasd:InstanceID>20</rasd:InstanceID><rasd:ResourceType>14</rasd:ResourceType>")
        }),
    ),
    (
        "no-legacy-devices",
        OvfText(|ovf| {
            add_item(ovf, "<rasd:InstanceID>20</rasd:InstanceID><rasd:ResourceType>5</rasd:ResourceType>")
        }),
    ),
    ("video-card", Ovf("vmw:value=\"4096\"", "vmw:value=\"8192\"")),
    ("vmci-device", Ovf("vmware.vmci", "vmware.sata.ahci")),
    ("vmci-device", OvfText(|ovf| replace_last(ovf, "<Item ovf:required=\"false\">", "<Item>"))),
    ("instance-ids", Ovf("<rasd:InstanceID>12<", "<rasd:InstanceID>11<")),
    (
        "item-order",
        Ovf(
            "<rasd:Parent>7</rasd:Parent>\n        <rasd:ResourceType>17</rasd:ResourceType>",
            "<rasd:ResourceType>17</rasd:ResourceType><rasd:Parent>7</rasd:Parent>",
        ),
    ),
    (
        "item-order",
        OvfText(|ovf| {
            add_item(ovf, "<vmw:Config ovf:required=\"false\"/><rasd:InstanceID>20</rasd:InstanceID>")
        }),
    ),
    ("scsi-controller", Ovf("VirtualSCSI", "virtualscsi")),
    ("scsi-controller", Ovf("VirtualSCSI", "lsilogic")),
    ("disk-source", Ovf("ovf:/disk/vmdisk1", "ovf:/disk/vmdisk2")),
    ("disk-source", Ovf("ovf:/disk/vmdisk1", "/disk/vmdisk1")),
    ("disk-parent", Ovf("<rasd:Parent>7<", "<rasd:Parent>3<")),
    ("adapter-count", OvfText(|ovf| remove_between(ovf, "Ethernet 4"))),
    ("adapter-type", OvfText(|ovf| replace_last(ovf, "VmxNet3", "E1000"))),
    ("adapter-connected", Ovf("AutomaticAllocation>true", "AutomaticAllocation>false")),
    ("adapter-connected", Ovf("AutomaticAllocation>false", "AutomaticAllocation>true")),
    (
        "adapter-network",
        OvfText(|ovf| replace_last(ovf, "<rasd:Connection>VM Network<", "<rasd:Connection>LAN<")),
    ),
    ("adapter-slots", Ovf("<rasd:AddressOnParent>7<", "<rasd:AddressOnParent>11<")),
    ("product-version", Ovf("<Version>1.2.3<", "<Version>1.2.4<")),
    ("product-version", Ovf("<Product>Evenkeel<", "<Product>Appliance<")),
    ("transport", Ovf("com.vmware.guestInfo", "iso")),
    ("property-set", Ovf("ovf:key=\"ntp\"", "ovf:key=\"ntp_servers\"")),
    ("property-keys", OvfText(|ovf| add_property(ovf, "guestinfo.hostname"))),
    ("property-keys", OvfText(|ovf| add_property(ovf, "eth0:address"))),
    ("property-keys", OvfText(|ovf| add_property(ovf, "hostname"))),
    ("property-optional", Ovf(" ovf:value=\"\"", "")),
    ("property-optional", Ovf("ovf:key=\"dns\"", "ovf:key=\"dns\" ovf:qualifiers=\"MinLen(1)\"")),
    ("property-optional", Ovf("ovf:userConfigurable=\"true\"", "ovf:userConfigurable=\"false\"")),
    ("property-text", Ovf("<Label>Host name</Label>", "<Label/>")),
    ("property-secrets", OvfText(|ovf| add_property(ovf, "root_password"))),
    (
        "property-secrets",
        Ovf("ovf:value=\"\" ovf:password=\"true\"", "ovf:value=\"setup\" ovf:password=\"true\""),
    ),
];

fn replace_last(ovf: &str, from: &str, to: &str) -> String {
    let (before, after) = ovf.rsplit_once(from).unwrap();
    format!("{before}{to}{after}")
}

/// Adds an item at the end of the hardware.
fn add_item(ovf: &str, children: &str) -> String {
    replace_last(ovf, "</Item>", &format!("</Item><Item>{children}</Item>"))
}

fn add_property(ovf: &str, key: &str) -> String {
    let attributes = "ovf:type=\"string\" ovf:userConfigurable=\"true\" ovf:value=\"\"";
    let text = "<Label>Label</Label><Description>Description</Description>";
    let property = format!("<Property ovf:key=\"{key}\" {attributes}>{text}</Property>");
    replace(ovf, "</ProductSection>", &format!("{property}</ProductSection>"))
}

/// Removes the item around `name`.
fn remove_between(ovf: &str, name: &str) -> String {
    let at = ovf.find(name).unwrap();
    let start = ovf[..at].rfind("<Item").unwrap();
    let end = at + ovf[at..].find("</Item>").unwrap() + "</Item>".len();
    format!("{}{}", &ovf[..start], &ovf[end..])
}

/// Moves the profiles behind the virtual system.
fn move_profiles(ovf: &str) -> String {
    let start = ovf.find("<DeploymentOptionSection>").unwrap();
    let end_tag = "</DeploymentOptionSection>";
    let end = ovf.find(end_tag).unwrap() + end_tag.len();
    let without = format!("{}{}", &ovf[..start], &ovf[end..]);
    replace(&without, "</VirtualSystem>", &format!("</VirtualSystem>{}", &ovf[start..end]))
}
