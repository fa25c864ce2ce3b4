//! Licences over API and command line: where there are none, and of a folder as the appliance has it.

use std::path::Path;

use lab::Lab;

/// As `image` writes it.
const LIST: &str = include_str!("../../../image/fixtures/COMPONENTS.json");

fn lbd(lab: &Lab, arguments: &str) -> lab::Output {
    let socket = lab.lbd().control_socket();
    lab.lbd().command(&format!("licences --control-socket {}{arguments}", socket.display()), "")
}

/// The list and two of its texts.
fn write(folder: &Path) {
    let texts = [
        ("COMPONENTS.json", LIST),
        ("SOURCES.txt", "Ask for them."),
        ("debian/linux-image.txt", "<b>free</b>"),
    ];
    for (file, text) in
        texts.into_iter().chain([("common/GPL-2", "GNU GENERAL PUBLIC LICENSE"), ("secret", "x")])
    {
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("lab folder");
        std::fs::write(path, text).expect("lab folder");
    }
}

#[test]
fn components_and_texts_are_shown_and_nothing_else_is_read() {
    let lab = Lab::single_arm();
    lab.lbd().start(&lab.config([&lab.pool()]));
    let missing = lab.lbd().request("GET", "/api/v1/licences", None).expect(404);
    assert!(missing.text.contains("the appliance brings them"), "{}", missing.text);
    assert!(lbd(&lab, "").stderr.contains("the appliance brings them"));

    let folder = lab.appliance().new_folder("licenses");
    write(&folder);
    lab.lbd().stop();
    lab.lbd().start_again_with(&["--licences", &folder.to_string_lossy()]);
    let list = lab.lbd().request("GET", "/api/v1/licences", None).expect(200).json;
    assert_eq!(list, serde_json::from_str::<serde_json::Value>(LIST).expect("JSON"));
    let text = |file: &str| lab.lbd().request("GET", &format!("/api/v1/licences/text?file={file}"), None);
    assert_eq!(text("debian/linux-image.txt").expect(200).text, "<b>free</b>");
    for odd in ["secret", "../secret", "%2e%2e/secret", "/etc/passwd", "COMPONENTS.json", ""] {
        text(odd).expect(404);
    }
    // It is listed, and not there.
    text("browser/uplot.txt").expect(500);

    assert!(lbd(&lab, "").expect_ok().contains("linux-image"));
    let kernel = lbd(&lab, " linux-image");
    for words in ["Debian source package linux-signed 1+1", "<b>free</b>", "GNU GENERAL PUBLIC LICENSE"] {
        assert!(kernel.expect_ok().contains(words), "{words}: {kernel:?}");
    }
    assert_eq!(lbd(&lab, " --sources").expect_ok(), "Ask for them.");
    assert!(lbd(&lab, " nothing").stderr.contains("no component is called nothing"));
}
