//! The OVA's own disk, booted: adapters named by their slots, and DICOM through the guest's kernel.

use lab::vm::Guest;
use lab::{Config, Lab, Mode, peers};

#[test]
fn booted_from_the_ova_it_carries_the_three_pools_of_the_example() {
    let lab = Lab::single_arm_with_guest();
    let pools = [
        ("DATALINK_POOL1", "NODE1", 2001, "DW_SCP"),
        ("DATALINK_POOL2", "POOL2_NODE1", 2003, "DW_MPPS_SCP"),
        ("DATALINK_POOL3", "POOL3_NODE1", 2002, "DW_RDSR_SCP"),
    ];
    for (_, server, port, title) in pools {
        lab.server(server).scp(title, port, Mode::Good);
    }
    lab.server("NODE2").scp("DW_SCP", 2001, Mode::Good);
    let guest = Guest::new(&lab);
    let took = guest.boot(&Config::datalink());
    println!("first boot: {took:?} from power-on to an answer of the API");
    for (number, (pool, _, port, title)) in (0..).zip(pools) {
        guest.wait_service(pool, "up");
        lab.client().echoscu(lab.vip(number), port, title).expect_ok();
        let refused = lab.client().echoscu(lab.vip(number), port, "SOMEBODY_ELSE");
        refused.expect_failure("Called AE Title Not Recognized");
    }
    let status = guest.status();
    assert_eq!(status["fast_path"]["available"], true, "{:#}", status["fast_path"]);
    assert_eq!(status["problems"], serde_json::json!([]));
}
