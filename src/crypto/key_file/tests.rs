//! Files that are missing, foreign, damaged or open to others, and processes that make one at once.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panel.key");
    (folder, path)
}

fn write(path: &Path, content: &[u8]) {
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn line() -> String {
    format!("panel-key-v1 {}\n", "0a".repeat(32))
}

#[test]
fn a_file_that_others_can_read_or_write_is_refused_with_the_command_to_run() {
    let (_folder, path) = folder();
    KeyFile::open_or_create(&path).unwrap();
    for mode in [0o604, 0o640, 0o620, 0o602, 0o601, 0o610, 0o644, 0o666, 0o777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        for answer in [KeyFile::open(&path), KeyFile::open_or_create(&path)] {
            let error = answer.unwrap_err();
            assert!(matches!(error, KeyFileError::ReadableByOthers { mode: seen, .. } if seen == mode));
            assert!(error.to_string().ends_with(&format!("Run: chmod 600 {}", path.display())), "{error}");
        }
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        KeyFile::open(&path).unwrap();
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_and_left_as_it_is() {
    let (_folder, path) = folder();
    let whole = line();
    for length in 0..whole.len() - 1 {
        let cut = &whole.as_bytes()[..length];
        write(&path, cut);
        let error = KeyFile::open_or_create(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged { .. } | KeyFileError::OfAnotherVersion { .. }));
        assert_eq!(fs::read(&path).unwrap(), cut);
    }
}

#[test]
fn content_that_is_not_one_line_of_ours_is_refused_and_never_quoted() {
    let (_folder, path) = folder();
    let digits = "0a".repeat(32);
    for content in [
        format!("panel-key-v1 {digits}0\n"),
        format!("panel-key-v1 {digits}\n\n"),
        format!("panel-key-v1 {digits}\n{digits}\n"),
        format!("panel-key-v1 {digits}\r\n"),
        format!("panel-key-v1  {digits}\n"),
        format!("panel-key-v1 +{}\n", digits.get(1..).unwrap()),
        format!("panel-key-v1 {}é\n", digits.get(2..).unwrap()),
        format!("{digits}\n"),
        format!("{}{}", line(), "x".repeat(100_000)),
    ] {
        write(&path, content.as_bytes());
        let error = KeyFile::open(&path).unwrap_err();
        assert!(matches!(error, KeyFileError::Damaged { .. }), "{content}: {error}");
        assert!(!format!("{error} {error:?}").contains("0a0a"));
    }
}

#[test]
fn a_later_format_is_told_from_a_damaged_file() {
    let (_folder, path) = folder();
    write(&path, b"panel-key-v2 something\n");
    assert!(matches!(KeyFile::open(&path), Err(KeyFileError::OfAnotherVersion { .. })));
}

#[test]
fn a_missing_file_a_missing_folder_and_a_folder_are_told_apart() {
    let (folder, path) = folder();
    assert!(matches!(KeyFile::open(&path), Err(KeyFileError::Missing { .. })));
    assert!(!path.exists());
    let nowhere = folder.path().join("nowhere").join("panel.key");
    assert!(matches!(KeyFile::open_or_create(nowhere), Err(KeyFileError::NotCreated { .. })));
    assert!(matches!(KeyFile::open_or_create(folder.path()), Err(KeyFileError::NotAFile { .. })));
}

#[test]
fn a_dangling_link_is_not_followed_to_create_a_file_elsewhere() {
    let (folder, path) = folder();
    let elsewhere = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(KeyFile::open_or_create(&path).is_err());
    assert!(!elsewhere.exists());
}

#[test]
fn a_new_file_has_mode_0600_one_line_and_no_leftovers() {
    let (folder, path) = folder();
    let made = KeyFile::open_or_create(&path).unwrap();

    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, format!("panel-key-v1 {}\n", encoding::hex(made.key.expose_secret())));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), made.key.expose_secret());
}

#[test]
fn a_line_without_its_newline_or_in_capitals_is_the_same_key() {
    let (_folder, path) = folder();
    write(&path, line().trim_end().as_bytes());
    assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), &[0x0a; 32]);
    write(&path, line().replace("0a", "0A").as_bytes());
    assert_eq!(KeyFile::open(&path).unwrap().key.expose_secret(), &[0x0a; 32]);
}

#[test]
fn eight_that_create_at_once_end_with_the_same_key() {
    for _ in 0..20 {
        let (folder, path) = folder();
        let start = Barrier::new(8);
        let keys: Vec<[u8; 32]> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        *KeyFile::open_or_create(&path).unwrap().key.expose_secret()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn derived_secrets_differ_from_each_other_and_from_the_key_and_stay_the_same() {
    let (_folder, path) = folder();
    write(&path, line().as_bytes());
    let file = KeyFile::open(&path).unwrap();
    let (sealing, jwt) = (file.sealing_key(), file.jwt_secret());

    assert_ne!(sealing.expose_secret(), jwt.expose_secret());
    assert_ne!(sealing.expose_secret(), file.key.expose_secret());
    assert_ne!(jwt.expose_secret(), file.key.expose_secret());
    // Fixed: a change of these two makes every stored secret and session of an installation unreadable.
    assert_eq!(encoding::hex(sealing.expose_secret()), SEALING_KEY_OF_0A);
    assert_eq!(encoding::hex(jwt.expose_secret()), JWT_SECRET_OF_0A);
}

#[test]
fn debug_prints_nothing_secret() {
    let (_folder, path) = folder();
    write(&path, line().as_bytes());
    let file = KeyFile::open(&path).unwrap();
    let printed = format!("{file:?} {:?}", file.sealing_key());
    assert!(!printed.contains("10, 10") && !printed.contains("0a0a"), "{printed}");
}

const SEALING_KEY_OF_0A: &str = "fce9490021c13344c5bd9d7ae9ccf615b009fd87ddeac07e5e04f2157d984bad";
const JWT_SECRET_OF_0A: &str = "53503a57948c2cb48e51b17568c737f0ec73425e310ef20cf985eb1861312943";
