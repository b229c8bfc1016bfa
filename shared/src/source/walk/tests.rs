//! Folders with links, odd names and much in them.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use super::*;

fn write(root: &Path, files: &[&str]) {
    for file in files {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "four").unwrap();
    }
}

fn walked(root: &Path, folder: &str) -> Vec<String> {
    let tree = files_below(root, Path::new(folder), WalkLimits::default()).unwrap();
    let paths = tree
        .files
        .into_iter()
        .map(|file| file.path.display().to_string());
    paths.collect()
}

#[test]
fn files_come_in_the_byte_order_of_their_whole_paths() {
    let root = tempfile::tempdir().unwrap();
    let mut paths = ["a/b", "a-b/c", "a.png", "a/b.c/d", "a/b0", "A", "é", "a0/z"];
    write(root.path(), &paths);
    write(
        root.path(),
        &[".hidden", "a/.hidden/x", "lost+found/x", "a/@eaDir/b"],
    );
    paths.sort_unstable();
    assert_eq!(walked(root.path(), ""), paths);
    assert_eq!(walked(root.path(), "a"), ["a/b", "a/b.c/d", "a/b0"]);
    assert_eq!(walked(root.path(), "no such"), [""; 0]);
}

#[test]
fn links_upwards_end() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["images/city/1.png", "labels/1.png"]);
    for (target, link) in [
        (root.path(), "images/up"),
        (root.path(), "images/city/up too"),
        (Path::new("."), "images/self"),
        (Path::new(".."), "images/city/parent"),
        (Path::new("/"), "images/everything"),
    ] {
        symlink(target, root.path().join(link)).unwrap();
    }
    assert_eq!(walked(root.path(), "images"), ["images/city/1.png"]);
    assert_eq!(
        walked(root.path(), ""),
        ["images/city/1.png", "labels/1.png"]
    );
}

#[test]
fn folders_that_link_to_each_other_are_walked_once() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folders = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    for folder in folders {
        write(elsewhere.path(), &[&format!("{folder}/{folder}.png")]);
        for other in folders {
            let link = elsewhere.path().join(folder).join(format!("to-{other}"));
            symlink(elsewhere.path().join(other), link).unwrap();
        }
    }
    symlink(elsewhere.path().join("a"), root.path().join("first")).unwrap();
    let found = walked(root.path(), "");
    assert_eq!(found.len(), folders.len(), "{found:?}");
    assert_eq!(found[0], "first/a.png");
}

#[test]
fn a_folder_and_a_part_of_it_may_both_be_linked() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(elsewhere.path(), &["part1/1.png", "part2/2.png"]);
    symlink(elsewhere.path().join("part1"), root.path().join("a")).unwrap();
    symlink(elsewhere.path(), root.path().join("b")).unwrap();
    assert_eq!(walked(root.path(), ""), ["a/1.png", "b/part2/2.png"]);
}

#[test]
fn a_folder_that_lies_there_goes_before_links_to_it() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["images/run5/1.png"]);
    symlink("run5", root.path().join("images/latest")).unwrap();
    symlink("run5/1.png", root.path().join("images/linked.png")).unwrap();
    assert_eq!(
        walked(root.path(), "images"),
        ["images/linked.png", "images/run5/1.png"]
    );
}

#[test]
fn a_link_elsewhere_is_followed_and_one_to_nowhere_is_a_file() {
    let (root, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(elsewhere.path(), &["folder/file"]);
    symlink(elsewhere.path().join("folder"), root.path().join("images")).unwrap();
    symlink("/no/such/file", elsewhere.path().join("folder/broken")).unwrap();
    symlink("circle", elsewhere.path().join("folder/circle")).unwrap();
    assert_eq!(
        walked(root.path(), "images"),
        ["images/broken", "images/circle", "images/file"]
    );
}

#[test]
fn pipes_sockets_and_devices_are_no_files() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["1.png"]);
    let pipe = root.path().join("pipe.png");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let _socket = UnixListener::bind(root.path().join("socket.png")).unwrap();
    symlink(&pipe, root.path().join("link-to-pipe.png")).unwrap();
    symlink("/dev/zero", root.path().join("device.png")).unwrap();
    assert_eq!(walked(root.path(), ""), ["1.png"]);
}

#[test]
fn what_is_too_deep_or_too_much_is_named_with_the_limit() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["a/b/c/1.png", "a/b/c/2.png"]);
    let refused = |max_depth, max_entries| {
        let limits = WalkLimits {
            max_depth,
            max_entries,
            ..WalkLimits::default()
        };
        let error = files_below(root.path(), Path::new(""), limits).unwrap_err();
        crate::failure::chain(&error)
    };
    let message = refused(2, 100);
    assert!(
        message.contains("a/b/c: it lies more than 2 folders deep"),
        "{message}"
    );
    let message = refused(10, 4);
    assert!(
        message.contains("more than 4 files and folders"),
        "{message}"
    );
    assert!(
        message.contains(&root.path().display().to_string()),
        "{message}"
    );
}

#[test]
fn a_file_in_place_of_a_folder_is_named() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &["images"]);
    let error = files_below(root.path(), Path::new("images"), WalkLimits::default());
    let message = crate::failure::chain(&error.unwrap_err());
    assert!(message.contains("images: it is a file"), "{message}");
}
