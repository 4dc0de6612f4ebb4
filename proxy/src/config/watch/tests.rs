use super::Watch;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

struct Scene {
    folder: tempfile::TempDir,
    watch: Watch,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), watch: Watch::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn follow(&mut self, file: &Path) {
        self.watch.follow([file].into_iter());
        self.changed().await;
    }

    async fn changed(&mut self) {
        timeout(Duration::from_secs(20), self.watch.changed()).await.expect("a change");
    }

    async fn quiet(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.watch.changed()).await.is_err()
    }
}

#[tokio::test]
async fn a_write_a_rename_over_and_a_return_are_seen() {
    let mut scene = Scene::new();
    let file = scene.path("proxy.yaml");
    fs::write(&file, "one").unwrap();
    scene.follow(&file).await;
    fs::write(&file, "two").unwrap();
    scene.changed().await;
    fs::write(scene.path(".proxy.yaml.swp"), "three").unwrap();
    fs::rename(scene.path(".proxy.yaml.swp"), &file).unwrap();
    scene.changed().await;
    fs::remove_file(&file).unwrap();
    scene.changed().await;
    fs::write(&file, "four").unwrap();
    scene.changed().await;
}

#[tokio::test]
async fn the_link_swap_of_kubernetes_is_seen() {
    let mut scene = Scene::new();
    for version in ["..v1", "..v2"] {
        fs::create_dir(scene.path(version)).unwrap();
        fs::write(scene.path(version).join("proxy.yaml"), version).unwrap();
    }
    symlink("..v1", scene.path("..data")).unwrap();
    symlink("..data/proxy.yaml", scene.path("proxy.yaml")).unwrap();
    let file = scene.path("proxy.yaml");
    scene.follow(&file).await;
    symlink("..v2", scene.path("..data_tmp")).unwrap();
    fs::rename(scene.path("..data_tmp"), scene.path("..data")).unwrap();
    scene.changed().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "..v2");
}

#[tokio::test]
async fn a_folder_that_vanishes_and_returns_is_found_again() {
    let mut scene = Scene::new();
    let file = scene.path("etc/proxy.yaml");
    fs::create_dir(scene.path("etc")).unwrap();
    fs::write(&file, "one").unwrap();
    scene.follow(&file).await;
    fs::remove_dir_all(scene.path("etc")).unwrap();
    scene.changed().await;
    scene.follow(&file).await;
    fs::create_dir(scene.path("etc")).unwrap();
    scene.changed().await;
    scene.follow(&file).await;
    fs::write(&file, "two").unwrap();
    scene.changed().await;
}

#[tokio::test]
async fn every_name_of_a_followed_folder_counts() {
    let mut scene = Scene::new();
    let folder = fs::canonicalize(scene.folder.path()).unwrap();
    scene.watch.follow_all(std::iter::empty(), [&*folder].into_iter());
    scene.changed().await;
    assert_eq!(scene.watch.touched(), None);
    fs::write(scene.path("new.yaml"), "one").unwrap();
    scene.changed().await;
    assert_eq!(scene.watch.touched(), Some([folder.join("new.yaml")].into()));
    fs::create_dir(scene.path("below")).unwrap();
    scene.changed().await;
    scene.watch.follow_all(std::iter::empty(), [&*folder, &folder.join("below")].into_iter());
    scene.changed().await;
    fs::write(scene.path("below/new.yaml"), "one").unwrap();
    scene.changed().await;
    fs::read(scene.path("new.yaml")).unwrap();
    assert!(scene.quiet().await);
}

#[tokio::test]
async fn a_file_has_changed_when_whoever_writes_it_closes_it() {
    let mut scene = Scene::new();
    let folder = fs::canonicalize(scene.folder.path()).unwrap();
    let (followed, other) = (folder.join("proxy.yaml"), folder.join("other.yaml"));
    for path in [&followed, &other] {
        fs::write(path, "one").unwrap();
    }
    scene.follow(&followed).await;
    let file = fs::File::create(&followed).unwrap();
    assert!(scene.quiet().await);
    drop(file);
    scene.changed().await;

    scene.watch.follow_all(std::iter::empty(), [&*folder].into_iter());
    scene.changed().await;
    scene.watch.touched();
    let file = fs::File::create(&other).unwrap();
    fs::write(&followed, "two").unwrap();
    scene.changed().await;
    assert_eq!(scene.watch.being_written(), [other.clone()].into());
    assert_eq!(scene.watch.touched(), Some([followed].into()));
    drop(file);
    scene.changed().await;
    assert_eq!((scene.watch.being_written(), scene.watch.touched()), ([].into(), Some([other].into())));
}

#[tokio::test]
async fn whoever_keeps_a_file_open_is_waited_for_and_not_for_ever() {
    let mut scene = Scene::new();
    let file = scene.path("proxy.yaml");
    fs::write(&file, "one").unwrap();
    scene.follow(&file).await;
    let begun = std::time::Instant::now();
    let open = fs::File::create(&file).unwrap();
    scene.changed().await;
    assert!(begun.elapsed() >= super::WRITING);
    drop(open);
}

#[tokio::test]
async fn reading_and_neighbours_are_no_change() {
    let mut scene = Scene::new();
    let file = scene.path("proxy.yaml");
    fs::write(&file, "one").unwrap();
    scene.follow(&file).await;
    fs::read(&file).unwrap();
    fs::write(scene.path("access.log"), "line").unwrap();
    assert!(scene.quiet().await);
}
