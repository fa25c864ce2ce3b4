//! The menu of the product's specification: every page has its place from the first day.

/// A heading of the menu with its pages.
pub(in crate::web) struct Section {
    /// As the menu shows it.
    pub(in crate::web) title: &'static str,
    /// In the order of the menu; a section of one page is shown as that page.
    pub(in crate::web) pages: &'static [Item],
}

/// A page in the menu.
pub(in crate::web) struct Item {
    /// Where it is.
    pub(in crate::web) path: &'static str,
    /// As the menu shows it.
    pub(in crate::web) title: &'static str,
    /// What the page will do, and how to get along until then; empty where the page is there.
    pub(in crate::web) planned: &'static str,
}

const fn built(path: &'static str, title: &'static str) -> Item {
    Item { path, title, planned: "" }
}

const fn planned(path: &'static str, title: &'static str, planned: &'static str) -> Item {
    Item { path, title, planned }
}

/// The whole menu.
pub(in crate::web) const MENU: &[Section] = &[
    Section { title: "System Overview", pages: &[built("/", "System Overview")] },
    Section {
        title: "Local Configuration",
        pages: &[
            built("/local/hostname", "Hostname & DNS"),
            built("/local/interfaces", "Network Interface Configuration"),
            built("/local/routing", "Routing"),
            built("/local/time", "System Date & Time"),
            built("/local/physical", "Physical - Advanced"),
            planned("/local/portal", "Portal Management", "Centralised management is not offered yet."),
            built("/local/security", "Security"),
            built("/local/sockets", "Service Socket Addresses"),
            built("/local/webui", "WebUI & Certificate"),
            built("/local/snmp", "SNMP Configuration"),
            built("/local/graphing", "Graphing"),
            planned("/local/licence", "License Key", "This version needs no licence key."),
        ],
    },
    Section {
        title: "Cluster Configuration",
        pages: &[
            built("/cluster/guide", "Set-up for DoseWatch"),
            built("/cluster/services", "Layer 4 Virtual Services"),
            built("/cluster/servers", "Layer 4 Real Servers"),
            built("/cluster/checks", "Health Check Scripts"),
            built("/cluster/advanced", "Layer 4 Advanced Configuration"),
            planned(
                "/cluster/pair",
                "High-Availability Configuration",
                "A pair of appliances is not offered yet.",
            ),
            planned(
                "/cluster/heartbeat",
                "Heartbeat Configuration",
                "Heartbeat belongs to a pair of appliances, which is not offered yet.",
            ),
        ],
    },
    Section {
        title: "Maintenance",
        pages: &[
            planned(
                "/maintenance/restart",
                "Restart Services",
                "The services of the appliance are restarted on the page Service Socket Addresses. Nothing needs it: every change \
                 takes effect at once.",
            ),
            built("/password", "Passwords"),
            built("/maintenance/backup", "Backup & Restore"),
            built("/maintenance/update", "Software Update"),
            planned(
                "/maintenance/firewall",
                "Firewall Script",
                "Own firewall rules cannot be added. The appliance lets in management and the virtual services only.",
            ),
            built("/maintenance/lockdown", "Firewall Lockdown Wizard"),
            built("/maintenance/tools", "Tools"),
            built("/maintenance/factory-reset", "Factory Reset"),
        ],
    },
    Section { title: "View Configuration", pages: &[built("/configuration", "View Configuration")] },
    Section {
        title: "Reports",
        pages: &[built("/reports/graphs", "Graphs"), built("/reports/availability", "Availability")],
    },
    Section {
        title: "Logs",
        pages: &[
            built("/logs", "Logs"),
            built("/logs/servers", "Syslog Servers"),
            built("/audit", "Audit Log"),
        ],
    },
    Section { title: "Support", pages: &[built("/support", "Support")] },
];

/// Every page of the menu.
pub(in crate::web) fn items() -> impl Iterator<Item = &'static Item> {
    MENU.iter().flat_map(|section| section.pages)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_menu_is_that_of_the_specification_and_every_page_has_its_own_address() {
        let titles: Vec<_> = MENU.iter().map(|section| section.title).collect();
        assert_eq!(
            titles,
            [
                "System Overview",
                "Local Configuration",
                "Cluster Configuration",
                "Maintenance",
                "View Configuration",
                "Reports",
                "Logs",
                "Support"
            ]
        );
        let paths: BTreeSet<_> = items().map(|item| item.path).collect();
        assert_eq!(paths.len(), items().count());
    }
}
