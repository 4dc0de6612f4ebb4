use super::{Folder, Scan};
use sluice_translate::Change;
use std::{
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;

struct Scene {
    root: TempDir,
    folder: Folder,
}

impl Scene {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_owned(), None);
        Self { root, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn scan(&mut self) -> Scan {
        self.folder.scan().unwrap()
    }

    /// What changed: `+ns/name file:line` and `-ns/name`.
    fn changes(&mut self) -> Vec<String> {
        told(&self.scan())
    }
}

fn told(scan: &Scan) -> Vec<String> {
    let changes = scan.changes.iter().map(|change| match change {
        Change::Put(held) => {
            let (name, place) = (held.object().name(), held.place().unwrap());
            format!("+{}/{} {}:{}", name.namespace, name.name, place.file, place.line)
        }
        Change::Delete(name) => format!("-{}/{}", name.namespace, name.name),
    });
    changes.collect()
}

fn service(name: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{ name: {name} }}\n")
}

#[test]
fn manifests_below_a_folder_are_found_and_hidden_names_are_not() {
    let mut scene = Scene::new();
    scene.write("b.yml", &format!("{}---\n# nothing\n---\n{}", service("b"), service("c")));
    scene.write(
        "deep/er/d.json",
        r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"d","namespace":"x"}}"#,
    );
    scene.write(".hidden.yaml", &service("hidden"));
    scene.write(".git/config.yaml", &service("hidden"));
    scene.write("README.md", "no manifest");
    assert_eq!(scene.changes(), ["+default/b b.yml:1", "+default/c b.yml:7", "+x/d deep/er/d.json:1"]);
    assert!(scene.changes().is_empty(), "nothing changed");
}

#[test]
fn mounted_configmaps_are_read_through_their_links_once() {
    let mut scene = Scene::new();
    for version in ["one", "two"] {
        scene.write(&format!("..{version}/a.yaml"), &service(version));
    }
    symlink("..one", scene.path("..data")).unwrap();
    symlink("..data/a.yaml", scene.path("a.yaml")).unwrap();
    assert_eq!(scene.changes(), ["+default/one a.yaml:1"]);
    symlink("..two", scene.path("..new")).unwrap();
    fs::rename(scene.path("..new"), scene.path("..data")).unwrap();
    assert_eq!(scene.changes(), ["-default/one", "+default/two a.yaml:1"]);
}

#[test]
fn links_in_circles_end_and_links_into_nowhere_are_told() {
    let mut scene = Scene::new();
    scene.write("sub/a.yaml", &service("a"));
    symlink("..", scene.path("sub/up")).unwrap();
    symlink("sub", scene.path("same")).unwrap();
    symlink("nowhere.yaml", scene.path("lost.yaml")).unwrap();
    symlink("itself.yaml", scene.path("itself.yaml")).unwrap();
    let scan = scene.scan();
    assert_eq!(told(&scan).len(), 1, "{:?}", told(&scan));
    let files: Vec<&str> = scan.findings.iter().map(|finding| &*finding.file).collect();
    assert_eq!(files, ["itself.yaml", "lost.yaml"]);
}

#[test]
fn a_file_keeps_its_objects_while_it_cannot_be_understood() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &service("a"));
    assert_eq!(scene.changes().len(), 1);
    for bad in ["kind: ]\n".as_bytes(), b"\xff\xfe", b"a: *nowhere\n"] {
        fs::write(scene.path("a.yaml"), bad).unwrap();
        let scan = scene.scan();
        assert!(scan.changes.is_empty(), "{:?}", told(&scan));
        assert_eq!(scan.findings.len(), 1, "{:?}", scan.findings);
        assert!(scan.findings[0].to_string().starts_with("ERROR a.yaml"), "{}", scan.findings[0]);
    }
    scene.write("a.yaml", &service("b"));
    assert_eq!(scene.changes(), ["-default/a", "+default/b a.yaml:1"]);
    assert!(scene.scan().findings.is_empty());
}

#[test]
fn what_is_no_object_is_told_and_its_neighbours_count() {
    let scan = Folder::of_text("shop.yaml", &format!("kind: Service\n---\n{}", service("a")), None);
    assert_eq!(told(&scan), ["+default/a shop.yaml:3"]);
    assert_eq!(scan.findings.len(), 1);
    assert!(scan.findings[0].to_string().contains("apiVersion"), "{}", scan.findings[0]);
}

#[test]
fn a_document_that_is_no_object_any_more_keeps_the_object_that_it_was() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &format!("{}---\n{}", service("a"), service("b")));
    assert_eq!(scene.changes().len(), 2);
    for slip in ["kind: Servce", "kin: Service", "kind: service", "kind:"] {
        let broken = service("a").replace("kind: Service", slip);
        scene.write("a.yaml", &format!("{broken}---\n{}---\n{}", service("b"), service("c")));
        let scan = scene.scan();
        assert!(!told(&scan).iter().any(|change| change.ends_with("default/a")), "{slip}: {:?}", told(&scan));
        let message = &scan.findings[0].message;
        assert!(message.contains("stays as it was: Service default/a"), "{slip}: {message}");
    }
    assert!(scene.folder.objects().any(|held| held.object().name().name == "a"));
    // Kinds that nobody here knows are no slips.
    scene.write("a.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: a }\n");
    let scan = scene.scan();
    assert!(scan.findings.is_empty() && told(&scan).contains(&"-default/a".to_owned()), "{:?}", told(&scan));
}

#[test]
fn an_empty_file_has_no_objects_only_after_a_moment() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &service("a"));
    scene.changes();
    scene.write("a.yaml", "# to be written\n");
    let scan = scene.scan();
    assert!(scan.changes.is_empty() && scan.look_again, "{:?}", told(&scan));
    let deadline = Instant::now() + Duration::from_secs(20);
    let gone = std::iter::repeat_with(|| scene.changes())
        .find(|changes| !changes.is_empty() || Instant::now() > deadline);
    assert_eq!(gone.unwrap(), ["-default/a"]);
    assert!(!scene.scan().look_again);
}

#[test]
fn what_somebody_is_writing_is_left_alone() {
    let mut scene = Scene::new();
    let root = fs::canonicalize(scene.root.path()).unwrap();
    scene.write("deep/a.yaml", &service("a"));
    scene.changes();
    let file = root.join("deep/a.yaml");
    scene.folder.leave([file.clone()].into());
    scene.write("deep/a.yaml", &service("b"));
    assert!(scene.changes().is_empty());
    assert_eq!(told(&scene.folder.look_at(&[file.clone()].into()).unwrap()), [""; 0]);
    scene.folder.leave([].into());
    let seen = scene.folder.look_at(&[file].into()).unwrap();
    assert_eq!(told(&seen), ["-default/a", "+default/b deep/a.yaml:1"]);
}

#[test]
fn the_first_of_several_objects_of_a_name_counts() {
    let mut scene = Scene::new();
    scene.write("m.yaml", &format!("{}---\n{}", service("a"), service("a")));
    let scan = scene.scan();
    assert_eq!(told(&scan), ["+default/a m.yaml:1"]);
    assert_eq!(scan.duplicates.len(), 1);
    scene.write("b.yaml", &service("a"));
    assert_eq!(scene.changes(), ["+default/a b.yaml:1"]);
    scene.write("z.yaml", &service("a"));
    assert_eq!(scene.scan().duplicates.len(), 3);
    fs::remove_file(scene.path("b.yaml")).unwrap();
    fs::remove_file(scene.path("m.yaml")).unwrap();
    let scan = scene.scan();
    assert_eq!((told(&scan), scan.duplicates.len()), (vec!["+default/a z.yaml:1".to_owned()], 0));
}

#[test]
fn the_order_of_files_holds_however_many_come_between() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &service("a"));
    let mut name = "b".to_owned();
    scene.write(&format!("{name}.yaml"), &service(&name));
    // Each comes right before the one before: the room between two files is halved again and again.
    for number in 0..40 {
        scene.changes();
        name = format!("a{}", "a".repeat(60 - number));
        scene.write(&format!("{name}.yaml"), &service(&name));
    }
    scene.changes();
    let again = Folder::new(scene.root.path().to_owned(), None).scan().unwrap();
    let order = |changes: &[Change]| {
        let mut held: Vec<_> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put(held) => Some((held.age(), held.object().name())),
                Change::Delete(_) => None,
            })
            .collect();
        held.sort();
        held.into_iter().map(|(_, name)| name.name).collect::<Vec<_>>()
    };
    let all: Vec<Change> = scene.folder.objects().map(|held| Change::Put(held.clone())).collect();
    assert_eq!(all.len(), 42);
    assert_eq!(order(&all), order(&again.changes));
}

#[test]
fn a_folder_that_is_away_fails_and_forgets_nothing() {
    let mut scene = Scene::new();
    scene.write("a.yaml", &service("a"));
    scene.changes();
    let aside = scene.path("").with_extension("aside");
    fs::rename(scene.root.path(), &aside).unwrap();
    assert!(scene.folder.scan().is_err());
    fs::rename(&aside, scene.root.path()).unwrap();
    assert!(scene.changes().is_empty());
}

#[test]
fn only_objects_of_the_namespace_that_is_watched_count() {
    let class = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: { name: c }\n";
    let other = service("o").replace("name: o", "name: o, namespace: other");
    let text = format!("{}---\n{other}---\n{class}", service("a"));
    let names = told(&Folder::of_text("x.yaml", &text, Some("other".to_owned())));
    assert_eq!(names, ["+/c x.yaml:9", "+other/o x.yaml:5"]);
}

#[test]
fn a_look_at_names_finds_what_changed_in_files_that_are_known() {
    let mut scene = Scene::new();
    let root = fs::canonicalize(scene.root.path()).unwrap();
    scene.write("a.yaml", &service("a"));
    scene.write("deep/b.yaml", &service("b"));
    scene.write("deep/notes.txt", "nothing");
    assert_eq!(scene.changes().len(), 2);
    let mut look = |names: &[&str]| scene.folder.look_at(&names.iter().map(|name| root.join(name)).collect());
    assert_eq!(told(&look(&[]).unwrap()), [""; 0]);

    fs::write(root.join("deep/b.yaml"), service("c")).unwrap();
    let seen = look(&["deep/b.yaml", "deep/notes.txt", "deep/.b.yaml.swp"]).unwrap();
    assert_eq!(told(&seen), ["-default/b", "+default/c deep/b.yaml:1"]);
    assert_eq!((seen.files, seen.watched.is_none()), (2, true));

    fs::write(root.join("a.yaml"), "{ nonsense").unwrap();
    let seen = look(&["a.yaml"]).unwrap();
    assert_eq!((told(&seen).len(), seen.findings.len()), (0, 1));
    fs::remove_file(root.join("a.yaml")).unwrap();
    let seen = look(&["a.yaml"]).unwrap();
    assert_eq!((told(&seen), seen.findings.len(), seen.files), (vec!["-default/a".to_owned()], 0, 1));
}

#[test]
fn what_a_look_at_names_cannot_settle_takes_a_look_at_everything() {
    let mut scene = Scene::new();
    let root = fs::canonicalize(scene.root.path()).unwrap();
    scene.write("a.yaml", &service("a"));
    scene.changes();
    scene.write("below/b.yaml", &service("b"));
    symlink("a.yaml", scene.path("link.yaml")).unwrap();
    for name in ["below", "below/b.yaml", "link.yaml"] {
        assert!(scene.folder.look_at(&[root.join(name)].into()).is_none(), "{name}");
    }
    assert!(scene.folder.look_at(&[PathBuf::from("/elsewhere/a.yaml")].into()).is_none());
}

#[test]
fn new_files_that_a_look_at_names_finds_stand_where_a_look_at_everything_puts_them() {
    let mut scene = Scene::new();
    let root = fs::canonicalize(scene.root.path()).unwrap();
    for name in ["d/c", "d/k"] {
        scene.write(&format!("{name}.yaml"), &service("same"));
    }
    assert_eq!(scene.changes(), ["+default/same d/c.yaml:1"]);
    let mut look = |names: &[&str]| {
        for name in names {
            scene.write(&format!("{name}.yaml"), &service("same"));
        }
        let names = names.iter().map(|name| root.join(format!("{name}.yaml"))).collect();
        scene.folder.look_at(&names).map(|seen| (told(&seen), seen.files))
    };
    let first = |name: &str| vec![format!("+default/same d/{name}.yaml:1")];
    assert_eq!(look(&["d/z", "d/e", "d/f"]), Some((first("c"), 5)));
    assert_eq!(look(&["d/b", "d/a"]), Some((first("a"), 7)));
    // Each right before the one before, until there is no room.
    let mut name = "d/a".to_owned();
    let settled = (0..60).take_while(|_| {
        name.push('-');
        look(&[&name]).is_some()
    });
    assert!(settled.count() < 60);
    assert_eq!(scene.changes(), [format!("+default/same {name}.yaml:1")]);
}
