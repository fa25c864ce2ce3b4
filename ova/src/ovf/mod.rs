//! The OVF descriptor (DSP0243 1.1.0, the version that every vSphere since 4.0 takes): written and read.

mod descriptor;
mod hardware;
pub mod property;
mod tree;
mod xml;

pub use descriptor::{Package, descriptor};
pub use tree::{Fault, Node};

/// Namespaces with the prefixes by which this crate names them, whatever a document calls them.
pub const NAMESPACES: [(&str, &str); 5] = [
    ("ovf", "http://schemas.dmtf.org/ovf/envelope/1"),
    ("rasd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"),
    ("vmw", "http://www.vmware.com/schema/ovf"),
    ("vssd", "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"),
    ("xsi", "http://www.w3.org/2001/XMLSchema-instance"),
];
