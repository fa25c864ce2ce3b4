//! Cluster Configuration in Debian's Chromium, used as an administrator would, against real lbd and real DICOM peers.

use lab::browser::Browser;
use lab::{Config, Lab, Mode, Scp};

/// An appliance with this configuration, and a browser on the administrator's host.
fn appliance(lab: &Lab, config: &Config) -> Browser {
    lab.lbd().start(config);
    Browser::of(lab)
}

/// An appliance that balances nothing yet.
fn empty(lab: &Lab) -> Browser {
    let config: [&lab::config::Pool; 0] = [];
    appliance(lab, &lab.config(config))
}

/// The button that sends the form.
const SEND: &str = ".closing button.primary";

#[test]
fn a_service_is_added_with_mistakes_edited_disabled_and_removed() {
    let lab = Lab::single_arm();
    let peers = [
        lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good),
        lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good),
    ];
    let browser = empty(&lab);
    browser.open("/cluster/services");
    browser.wait_text(".empty", "There is no virtual service yet");
    browser.judge("cluster-services-empty");
    browser.click(".empty a[href='/cluster/services/_new']");
    browser.wait_text("h1", "Add a virtual service");
    browser.judge("cluster-service-new");

    // Mistakes: each beside its field, everything that was typed is still there.
    browser.fill("#label", "DATALINK POOL");
    browser.fill("#addresses", "192.168.10.100/24");
    browser.fill("#ports", "2001");
    browser.fill("#persistence-timeout-seconds", "5 minutes");
    browser.fill("#real-server-1--address", "192.168.10.10");
    browser.fill("#real-server-1--weight", "1000");
    browser.click(SEND);
    browser.wait_text(".faults h2", "Nothing was changed yet");
    for (field, words) in [
        ("label", "characters that are not allowed"),
        ("addresses", "is a network, not an address"),
        ("persistence-timeout-seconds", "not a whole number"),
        ("new-called-ae-title", "AE title is empty"),
        ("real-server-0--weight", "out of range"),
    ] {
        browser.wait_text(&format!("#{field}-error"), words);
        assert!(
            browser.has(&format!("#{field}[aria-invalid=true][aria-describedby*='{field}-error']")),
            "{field}"
        );
        assert!(browser.has(&format!(".faults a[href='#{field}']")), "{field}");
    }
    assert_eq!(browser.evaluate("document.activeElement.id"), "label", "the cursor is at the first mistake");
    assert_eq!(browser.value("#persistence-timeout-seconds"), "5 minutes");
    assert_eq!(browser.value("#real-server-0--address"), "192.168.10.10");
    browser.judge_refused("cluster-service-new-mistakes", 422);

    browser.fill("#label", "DATALINK_POOL1");
    browser.fill("#addresses", "192.168.10.100");
    browser.fill("#persistence-timeout-seconds", "600");
    browser.fill("#new-called-ae-title", "DW_SCP");
    browser.fill("#real-server-0--address", "192.168.10.110");
    browser.fill("#real-server-0--weight", "100");
    browser.fill("#real-server-1--address", "192.168.10.111");
    browser.click("button[name=more]");
    browser.wait_text("body", "Real server 3");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text("h1", "DATALINK_POOL1");
    lab.lbd().wait_server("DATALINK_POOL1", "DATALINK_POOL1_NODE2", "up");
    // Without a reload.
    browser.wait_text("h1 .state", "up");
    browser.judge("cluster-service");
    browser.open("/cluster/services");
    browser.wait_text("tbody tr", "2 of 2 servers up");
    browser.judge("cluster-services");
    browser.open("/cluster/servers");
    browser.wait_text("table", "DATALINK_POOL1_NODE2");
    browser.judge("cluster-servers");

    // Edit: only what was changed is changed.
    browser.open("/cluster/services/DATALINK_POOL1/edit");
    browser.judge("cluster-service-edit");
    browser.choose("#scheduler", "source-hash");
    browser.fill("#comment", "same server for each modality");
    browser.click(SEND);
    browser.wait_text(".facts", "By the client's address");
    browser.wait_text(".facts", "600 s");
    browser.open("/cluster/servers/DATALINK_POOL1/DATALINK_POOL1_NODE2/edit");
    browser.fill("#weight", "50");
    browser.judge("cluster-server-edit");
    browser.click(SEND);
    browser.wait_text("tbody tr:nth-child(2)", "50");

    // Disable, enable; the button asks first.
    browser.click("button[name=to][value=off]");
    browser.accept_question();
    browser.wait_text("h1 .state", "off");
    browser.click("button[name=to][value=on]");
    browser.wait_text("button[name=to]", "Disable");

    // Remove a server, then be told that the last one must stay, then the service.
    browser.click("a[href$='DATALINK_POOL1_NODE2/remove']");
    browser.wait_text("h1", "Remove DATALINK_POOL1_NODE2 from DATALINK_POOL1?");
    browser.click("button.danger");
    browser.wait_text(".notice", "Saved");
    browser.open("/cluster/servers/DATALINK_POOL1/DATALINK_POOL1_NODE1/remove");
    browser.wait_text("main", "It is the only server");
    assert!(!browser.has("button.danger"));
    browser.open("/cluster/services/DATALINK_POOL1/remove");
    browser.wait_text("main", "Clients no longer reach 192.168.10.100:2001");
    browser.judge("cluster-service-remove");
    browser.click("button.danger");
    browser.wait_text(".empty", "There is no virtual service yet");
    drop(peers);
}

#[test]
fn the_second_of_two_administrators_is_told_what_changed_and_overwrites_nothing() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab, &lab.config([&lab.pool()]));
    browser.open("/cluster/servers/POOL/NODE1/edit");
    browser.fill("#weight", "20");
    let other = lab.config([&lab.pool().weights(&[70, 100]).server_port(2002)]);
    let answer = lab.lbd().request("PUT", "/api/v1/config", Some(other.as_str()));
    assert_eq!(answer.status, 200, "{}", answer.text);
    browser.click(SEND);
    browser.wait_text(".faults", "weight of NODE1 100 -> 70");
    browser.wait_text(".faults h2", "changed meanwhile");
    assert_eq!(browser.value("#weight"), "20");
    browser.wait_text(".field:has(#weight)", "In force now: 70");
    assert_eq!(browser.value("#port"), "2002", "what was not touched follows");
    browser.judge_refused("cluster-outdated", 412);
    browser.click(SEND);
    browser.wait_text("tbody tr", "20");
    let text = browser.text("tbody tr");
    assert!(text.contains("2002") && text.contains("20"), "{text}");
}

/// The servers of the three pools; those of the second and third listen under each other's AE title, as the product's
/// specification makes people believe.
fn dosewatch(lab: &Lab) -> Vec<Scp> {
    let servers = [
        ("NODE1", "DW_SCP", 2001),
        ("NODE2", "DW_SCP", 2001),
        ("POOL2_NODE1", "DW_RDSR_SCP", 2003),
        ("POOL3_NODE1", "DW_MPPS_SCP", 2002),
    ];
    let start = |(host, title, port): (&str, &str, u16)| lab.server(host).scp(title, port, Mode::Good);
    servers.map(start).into()
}

#[test]
fn the_guide_sets_up_three_pools_and_finds_the_swapped_titles() {
    let lab = Lab::single_arm();
    let _servers = dosewatch(&lab);
    let browser = empty(&lab);
    browser.open("/");
    browser.click(".empty a[href='/cluster/guide']");
    browser.wait_text("h1", "Set-up for DoseWatch");
    browser.judge("cluster-guide");
    set_up(&browser, true);
    three_pools_are_up(&lab, &browser);
}

#[test]
fn the_guide_works_without_javascript() {
    let lab = Lab::single_arm();
    let _servers = dosewatch(&lab);
    let browser = empty(&lab);
    browser.set_scripts(false);
    browser.open("/cluster/guide");
    set_up(&browser, false);
    three_pools_are_up(&lab, &browser);
}

fn set_up(browser: &Browser, pictures: bool) {
    let judge = |name: &str| {
        if pictures {
            browser.judge(&format!("cluster-{name}"));
        }
    };
    // A mistake is told beside its input before any server is asked.
    browser.fill("#pool1-address", "192.168.10.100");
    browser.fill("#pool1-servers", "192.168.10.110, 192.168.10.111x");
    browser.fill("#pool2-address", "192.168.10.101");
    browser.fill("#pool2-servers", "192.168.10.112");
    browser.fill("#pool3-address", "192.168.10.102");
    browser.fill("#pool3-servers", "192.168.10.114");
    browser.click(SEND);
    browser.wait_text("#pool1-servers-error", "is not an IP address");
    assert_eq!(browser.value("#pool2-servers"), "192.168.10.112");
    if pictures {
        browser.judge_refused("cluster-guide-mistake", 422);
    }
    browser.fill("#pool1-servers", "192.168.10.110, 192.168.10.111");
    browser.click(SEND);
    browser.wait_text("h1", "summary");
    browser.wait_text("main", "DW_SCP answers");
    browser.wait_text("main", "DW_RDSR_SCP answers on 2003, you entered DW_MPPS_SCP");
    browser.wait_text("main", "DW_MPPS_SCP answers on 2002, you entered DW_RDSR_SCP");
    browser.wait_text("main", "Virtual service DATALINK_POOL3: 192.168.10.102, port 2002");
    judge("guide-swapped");
    // Back and forth loses nothing.
    browser.click("button[name=change]");
    browser.wait_text("h1", "Set-up for DoseWatch");
    assert_eq!(browser.value("#pool3-servers"), "192.168.10.114");
    browser.click(SEND);
    browser.click("button[name=use]");
    browser.wait_text("main", "All servers answer");
    judge("guide-answers");
    browser.click("button[formaction='/cluster/guide/create']");
    browser.wait_text(".notice", "version 2 is in force");
}

fn three_pools_are_up(lab: &Lab, browser: &Browser) {
    for pool in ["DATALINK_POOL1", "DATALINK_POOL2", "DATALINK_POOL3"] {
        lab.lbd().wait_server(pool, &format!("{pool}_NODE1"), "up");
    }
    browser.open("/");
    browser.wait_text(".overall", "All 3 virtual services are up");
    lab.client().echoscu(lab.vip(1), 2003, "DW_RDSR_SCP").expect_ok();
    lab.client().echoscu(lab.vip(2), 2002, "DW_MPPS_SCP").expect_ok();
}

#[test]
fn a_check_is_added_tested_corrected_and_removed() {
    let lab = Lab::single_arm();
    let scp = lab.server("NODE1").scp("DW_SCP", 2001, Mode::Good);
    let browser = appliance(&lab, &lab.config([&lab.pool()]));
    browser.open("/cluster/checks");
    browser.wait_text("tbody", "POOL");
    browser.judge("cluster-checks");
    browser.click(".toolbar button");
    browser.wait_text("h1", "Add a health check");
    assert!(browser.value("#template").contains("aec=DW_SCP"));

    // Mistakes are told by their lines, and what was typed stays.
    browser.fill("#label", "ECHO");
    browser.fill(
        "#template",
        "template=DICOM-C-ECHO\naet=LOADBALANCER\naec=DW_MPPS_SCP\nintervall=5\nrise=often\n",
    );
    browser.click(SEND);
    browser.wait_text("#template-error", "Line 4");
    browser.wait_text("#template-error", "Line 5");
    assert!(browser.value("#template").contains("intervall=5"));
    browser.judge_refused("cluster-check-mistakes", 422);

    // A test of what is not saved yet names the title that answers.
    browser.fill("#template", "template=DICOM-C-ECHO\naet=LOADBALANCER\naec=DW_MPPS_SCP\n");
    browser.choose("#target", "POOL/NODE1");
    browser.click("button[name=test]");
    browser.wait_text(".tested .state", "failed");
    browser.wait_text(".tested .advice", "DW_SCP answers on 192.168.10.110:2001, you wrote aec=DW_MPPS_SCP");
    browser.judge("cluster-check-failed");
    browser.fill("#template", "template=DICOM-C-ECHO\naet=LOADBALANCER\naec=DW_SCP\n");
    browser.choose("#target", "");
    browser.fill("#address", "192.168.10.110");
    browser.click("button[name=test]");
    browser.wait_text("#port-error", "A port is missing");
    browser.fill("#port", "2001");
    browser.click("button[name=test]");
    browser.wait_text(".tested .state", "passed");
    browser.wait_text(".tested .steps", "connected to 192.168.10.110:2001");
    browser.judge_refused("cluster-check-passed", 422);
    browser.click(SEND);
    browser.wait_text(".notice", "Saved");
    browser.wait_text("h1", "Health check ECHO");

    // All servers of a check in one go: one answers, one does not.
    browser.open("/cluster/checks/POOL-check");
    browser.choose("#target", "*");
    browser.click("button[name=test]");
    browser.wait_text(".tested:nth-of-type(1)", "passed");
    browser.wait_text(".tested:nth-of-type(2)", "refused");
    browser.judge("cluster-check-all");

    // The service takes it over; a check that is used stays.
    browser.open("/cluster/services/POOL/edit");
    browser.choose("#health-check", "ECHO");
    browser.click(SEND);
    browser.wait_text(".facts", "ECHO");
    browser.open("/cluster/checks/ECHO/remove");
    browser.wait_text("main", "ECHO is used by POOL");
    browser.judge("cluster-check-used");
    browser.open("/cluster/checks");
    browser.click("a[href='/cluster/checks/POOL-check/remove']");
    browser.click("button.danger");
    browser.wait_text(".notice", "Saved");
    drop(scp);
}

#[test]
fn what_concerns_all_services_is_shown_and_changed_with_and_without_scripts() {
    let lab = Lab::single_arm();
    let browser = appliance(&lab, &lab.config([&lab.pool()]));
    // Not every kernel that runs the stories has flowtables; that the plan follows is shown beside the engine.
    let is_switched_off = || lab.lbd().status()["fast_path"]["detail"].to_string().contains("switched off");
    browser.open("/cluster/advanced");
    browser.wait_text(".facts", "80 %");
    browser.judge("cluster-advanced");
    assert!(!is_switched_off());
    browser.click("main a[href='/cluster/advanced/edit']");
    browser.wait_text("h1", "Edit Layer 4");
    browser.fill("#snat-ports-warning-percent", "5");
    browser.click(SEND);
    browser.wait_text("#snat-ports-warning-percent-error", "out of range");
    browser.judge_refused("cluster-advanced-refused", 422);
    browser.fill("#snat-ports-warning-percent", "50");
    browser.click("#fast-path");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text("main", "switched off in the configuration");
    assert!(is_switched_off());

    // Somebody else is faster: what was typed stays, and nothing is overwritten.
    browser.set_scripts(false);
    browser.open("/cluster/advanced/edit");
    browser.fill("#snat-ports-warning-percent", "60");
    let mut other = lab.lbd().config();
    other["layer4"]["snat_ports_warning_percent"] = 70.into();
    lab.lbd().request("PUT", "/api/v1/config", Some(&other.to_string())).expect(200);
    browser.click(SEND);
    browser.wait_text(".faults", "50 -> 70");
    browser.wait_text(".field:has(#snat-ports-warning-percent)", "In force now: 70 %");
    assert_eq!(browser.value("#snat-ports-warning-percent"), "60");
    browser.click("#fast-path");
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text(".facts", "60 %");
    assert!(!is_switched_off());
}

#[test]
fn a_client_is_looked_up_and_forgotten_and_a_fallback_page_written_without_scripts() {
    let lab = Lab::single_arm();
    for node in ["NODE1", "NODE2"] {
        lab.server(node).named_server(node, 2001);
    }
    let browser = appliance(&lab, &lab.config([&lab.pool()]));
    lab.lbd().wait_service("POOL", "up");
    let client = lab.client().address().to_string();
    let server = lab.client().ask(lab.vip(0), 2001).server;
    browser.open("/cluster/services/POOL");
    browser.click("main a[href='/cluster/services/POOL/persistence']");
    browser.wait_text("main tbody", &client);
    browser.wait_text("main tbody", &server);
    browser.judge("cluster-persistence");
    browser.set_scripts(false);
    browser.open("/cluster/services/POOL/persistence?client=192.0.2.1");
    browser.wait_text(".empty", "No client is remembered");
    browser.open("/cluster/services/POOL/persistence?client=ct-scanner");
    browser.wait_text("#client-error", "not understood");
    browser.fill("#client", &client);
    browser.click("main form[method=get] button");
    browser.wait_text("main tbody", &client);
    browser.click("main tbody button");
    browser.wait_text(".notice", &format!("{client} is forgotten"));
    browser.wait_text(".empty", "No client is remembered");

    browser.open("/cluster/services/POOL/edit");
    browser.click("details:has(#fallback) summary");
    browser.choose("#fallback", "http-page");
    browser.fill("#fallback-page", "<h1>Maintenance</h1>\nCall 4711.");
    browser.click(SEND);
    browser.wait_text(".facts", "a text of 31 characters");
    // Saved once more, the text is what it was.
    browser.open("/cluster/services/POOL/edit");
    browser.click(SEND);
    browser.wait_text("h1", "POOL");
    assert_eq!(lab.lbd().config()["virtual_service"][0]["fallback_page"], "<h1>Maintenance</h1>\nCall 4711.");
}

#[test]
fn a_service_is_given_to_the_proxy_and_shows_whom_it_passed_over() {
    let lab = Lab::single_arm();
    let servers = ["NODE1", "NODE2"].map(|node| lab.server(node).named_server(node, 2001));
    // Checked once: nobody hears of a death but the proxy.
    let pool = lab.pool().in_turn().persistence(None).check_every(3_600, 10).rise_fall(1, 10);
    let browser = appliance(&lab, &lab.config([&pool]));
    lab.lbd().wait_service("POOL", "up");
    browser.open("/cluster/services/POOL/edit");
    browser.choose("#forwarding-method", "proxy");
    browser.choose("#protocol", "udp");
    browser.click(SEND);
    browser.wait_text("#forwarding-method-error", "forwards TCP only");
    browser.choose("#protocol", "tcp");
    browser.judge_refused("cluster-service-proxy-mistake", 422);
    browser.click(SEND);
    browser.wait_text(".notice", "is in force");
    browser.wait_text(".facts", "Proxy: tries the next server");
    browser.judge("cluster-service-proxied");
    servers[0].kill();
    for _ in 0..4 {
        assert_eq!(lab.client().ask(lab.vip(0), 2001).server, "NODE2");
    }
    browser.open("/?open=POOL");
    browser.wait_text("body", "2001/tcp, proxied");
    browser.wait_text("body", "not taken");
    browser.judge("overview-proxied");
}
