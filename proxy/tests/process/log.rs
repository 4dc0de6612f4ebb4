use crate::scene::{Scene, answering, eventually, exchange};
use std::{fs, path::Path};

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn every_request_is_a_json_line_also_refused_ones() {
    let log = tempfile::tempdir().unwrap();
    let file = log.path().join("access.log");
    let yaml = format!(
        "access_log: {{ target: {{ file: '{}' }}, format: json }}\n{}",
        file.display(),
        answering("web", "hello")
    );
    let scene = Scene::start(&yaml);
    scene.get("web", "/a?b=\"c\"");
    let web = scene.proxy().listener_address("web").unwrap();
    assert_eq!(exchange(web, b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n").status, 400);
    eventually("two lines", || lines(&file).len() == 2);
    let parsed: Vec<serde_json::Value> =
        lines(&file).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ok = parsed.iter().find(|line| line["status"] == 200).unwrap();
    assert_eq!(ok["path"], "/a?b=\"c\"");
    assert_eq!(
        (&ok["listener"], &ok["route"], &ok["response_flags"]),
        (&"web".into(), &"hello".into(), &"".into())
    );
    let refused = parsed.iter().find(|line| line["status"] == 400).unwrap();
    assert_eq!(refused["response_flags"], "DPE");
    assert_eq!(scene.stat("sluice_refusals_total"), 1);
    assert_eq!(scene.stat("sluice_access_log_lines_total"), 2);
    assert_eq!(scene.stat("sluice_access_log_dropped_total"), 0);
}

#[test]
fn a_format_string_is_followed_and_a_moved_file_is_opened_again() {
    let log = tempfile::tempdir().unwrap();
    let file = log.path().join("access.log");
    let yaml = format!(
        "access_log: {{ target: {{ file: '{}' }}, format: {{ text: '%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %ROUTE_NAME%' }} }}\n{}",
        file.display(),
        answering("web", "hello")
    );
    let scene = Scene::start(&yaml);
    scene.get("web", "/one");
    eventually("a line", || lines(&file) == ["GET /one 200 - hello"]);
    fs::rename(&file, log.path().join("access.log.1")).unwrap();
    scene.proxy().reload();
    eventually("the new file", || file.exists());
    scene.get("web", "/two");
    eventually("a line", || lines(&file) == ["GET /two 200 - hello"]);
}

#[test]
fn lines_that_cannot_be_written_are_counted() {
    let yaml =
        format!("access_log: {{ target: {{ file: /nowhere/access.log }} }}\n{}", answering("web", "hello"));
    let scene = Scene::start(&yaml);
    assert_eq!(scene.get("web", "/").status, 200);
    eventually("a dropped line", || scene.stat("sluice_access_log_dropped_total") == 1);
}
