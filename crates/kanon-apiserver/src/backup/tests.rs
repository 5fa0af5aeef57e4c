//! Backups of folders and of running servers, restored; and every way a file can be wrong.

use std::{
    io::{Cursor, Write as _},
    path::PathBuf,
    sync::Arc,
};

use http::Request;
use http_body_util::{BodyExt as _, Full};
use kanon_cel::Cel;
use serde_json::{Value, json};

use super::*;
use crate::testing::TestServer;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn ask(server: &TestServer, request: Request<Full<bytes::Bytes>>) -> (u16, bytes::Bytes) {
    let answer = server.running().admin_service().handle(request).await;
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.expect("infallible").to_bytes())
}

async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    let (status, body) = ask(server, Request::get(path).body(Full::default()).expect("a request")).await;
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn create(server: &TestServer, name: &str) -> u64 {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "ä\n"}});
    let request = Request::post(MAPS).header("content-type", "application/json").body(Full::from(map.to_string()));
    let (status, body) = ask(server, request.expect("a request")).await;
    assert_eq!(status, 201);
    let value: Value = serde_json::from_slice(&body).expect("JSON");
    value["metadata"]["resourceVersion"].as_str().and_then(|it| it.parse().ok()).expect("a version")
}

fn reader(bytes: &[u8]) -> Result<BackupReader<Cursor<Vec<u8>>>, BackupError> {
    BackupReader::new(Cursor::new(bytes.to_vec()))
}

#[tokio::test]
async fn a_restored_server_has_everything_and_no_version_goes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let server = TestServer::start_in(Arc::new(Cel::default()), &old).await.expect("starts");
    for number in 0..600 {
        create(&server, &format!("m{number}")).await;
    }
    let (status, online) = ask(&server, Request::get(PATH).body(Full::default()).expect("a request")).await;
    assert_eq!(status, 200);
    let (_, before) = get(&server, MAPS).await;
    let newest = create(&server, "after-the-backup").await;
    let running = of_folder(&old, &[], Timestamp::now(), Vec::new());
    assert!(matches!(running, Err(BackupError::InUse(_))), "{running:?}");
    assert!(matches!(restore(&old, reader(&online).expect("a backup"), BUMP), Err(BackupError::InUse(_))));
    server.stop().await;

    let restored = restore(&new, reader(&online).expect("a backup"), BUMP).expect("restored");
    assert!(restored.objects > 600 && restored.revision > BUMP + newest, "{restored:?}");
    let server = TestServer::start_in(Arc::new(Cel::default()), &new).await.expect("starts");
    let (_, after) = get(&server, MAPS).await;
    let strip = |list: &Value| -> Vec<Value> {
        let mut items = list["items"].as_array().expect("items").clone();
        // The test's servers have authorities of their own, and publish them.
        items.retain(|it| it["metadata"]["name"] != "kube-root-ca.crt");
        items.iter_mut().for_each(|it| it["metadata"]["resourceVersion"] = Value::Null);
        items
    };
    assert!(strip(&after) == strip(&before) && strip(&after).len() == 600, "all objects are as they were");
    let (_, gone) = get(&server, &format!("{MAPS}?watch=true&resourceVersion={newest}&timeoutSeconds=1")).await;
    assert_eq!((&gone["type"], &gone["object"]["code"]), (&json!("ERROR"), &json!(410)), "{gone}");
    assert_eq!(get(&server, "/apis/apps/v1/deployments?resourceVersion=3&resourceVersionMatch=Exact").await.0, 410);
    assert!(create(&server, "later").await > BUMP + newest);
    server.stop().await;
}

#[tokio::test]
async fn a_stopped_folder_is_backed_up_with_its_files_and_replaced_by_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("place");
    let server = TestServer::start_in(Arc::new(Cel::default()), &place).await.expect("starts");
    create(&server, "kept").await;
    server.stop().await;
    let files = [PathBuf::from("token.key")];
    let (backup, summary) = of_folder(&place, &files, Timestamp::now(), Vec::new()).expect("written");
    assert_eq!((summary.files, summary.bytes), (1, backup.len() as u64));
    let key = std::fs::read(place.join("token.key")).expect("read");
    let server = TestServer::start_in(Arc::new(Cel::default()), &place).await.expect("starts");
    let newest = create(&server, "lost").await;
    server.stop().await;
    std::fs::write(place.join("token.key"), vec![0; 32]).expect("written");
    let restored = restore(&place, reader(&backup).expect("a backup"), 5).expect("restored");
    assert!(restored.files == 1 && restored.revision > newest + 5);
    assert_eq!(std::fs::read(place.join("token.key")).expect("read"), key);
    assert!(place.join("objects.redb.before-restore").exists());
    let server = TestServer::start_in(Arc::new(Cel::default()), &place).await.expect("starts");
    assert_eq!(get(&server, &format!("{MAPS}/kept")).await.0, 200);
    assert_eq!(get(&server, &format!("{MAPS}/lost")).await.0, 404);
    server.stop().await;
    let absent = of_folder(&folder.path().join("nothing"), &[], Timestamp::now(), Vec::new());
    assert!(matches!(absent, Err(BackupError::Absent(_))));
}

/// A small backup.
fn small() -> Vec<u8> {
    let mut writer =
        BackupWriter::new(Vec::new(), &BackupHeader::new(Revision(9), Timestamp::UNIX_EPOCH)).expect("begun");
    for name in ["a", "b"] {
        let object = Object::from_value(&json!({"metadata": {"name": name, "resourceVersion": "4"}}));
        writer.object(&Key::new("core/nodes", "", name), &object).expect("written");
    }
    writer.file("ca/tls.key", 0o600, b"secret").expect("written");
    writer.finish().expect("ended").0
}

#[test]
fn every_changed_byte_and_every_cut_is_refused() {
    let whole = small();
    let read = |bytes: &[u8]| reader(bytes).and_then(Iterator::collect::<Result<Vec<BackupItem>, _>>);
    assert_eq!(read(&whole).expect("sound").len(), 3);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(read(&damaged).is_err(), "byte {at}");
        assert!(read(&whole[..at]).is_err(), "cut at {at}");
    }
    let longer = [whole.as_slice(), b"{}\n"].concat();
    assert!(read(&longer).is_err());
}

#[test]
fn a_compressed_backup_is_read_and_every_cut_of_it_refused() {
    let mut whole = Vec::new();
    let mut compressed = Compressed::new(&mut whole);
    compressed.write_all(&small()).expect("memory");
    compressed.finish().expect("memory");
    assert!(whole.len() < small().len(), "{} bytes", whole.len());
    let read = |bytes: &[u8]| {
        let items: Vec<BackupItem> = reader(bytes)?.collect::<Result<_, _>>()?;
        Ok::<_, BackupError>(format!("{items:?}"))
    };
    let sound = read(&whole).expect("sound");
    assert_eq!(sound, read(&small()).expect("sound"));
    for at in 0..whole.len() {
        let cut = read(&whole[..at]).expect_err("cut").to_string();
        assert!(at < 2 || cut.starts_with("the backup is cut off after line "), "cut at {at}: {cut}");
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        // Gzip has bytes of its own that mean nothing here, such as a time.
        assert!(read(&damaged).map_or(true, |it| it == sound), "byte {at}");
    }
    let mut damaged = whole.clone();
    let at = whole.len() - 30;
    damaged[at] ^= 0xff;
    let error = read(&damaged).expect_err("damaged").to_string();
    assert!(error.starts_with("the backup is "), "{error}");
    assert!(read(&[&whole[..], b"more"].concat()).is_err());
}

#[test]
fn what_is_no_backup_or_too_new_is_said_in_words() {
    let newer = r#"{"kind":"KanonBackup","version":2,"revision":1,"shape":"other"}"#.to_owned() + "\n";
    let error = reader(newer.as_bytes()).err().expect("too new").to_string();
    assert_eq!(error, "the backup has version 2, and this version of Kanon reads versions up to 1");
    for (text, want) in [("", "it is empty"), ("{}\n", "no header"), ("a: b\n", "no header")] {
        let error = reader(text.as_bytes()).err().expect("no backup").to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn a_damaged_backup_and_one_with_files_elsewhere_leave_the_folder_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut damaged = small();
    let at = damaged.len() - 10;
    damaged[at] = if damaged[at] == b'0' { b'1' } else { b'0' };
    let mut outside =
        BackupWriter::new(Vec::new(), &BackupHeader::new(Revision(1), Timestamp::UNIX_EPOCH)).expect("begun");
    outside.file("../evil", 0o600, b"x").expect("written");
    for bytes in [damaged, outside.finish().expect("ended").0] {
        assert!(restore(folder.path(), reader(&bytes).expect("a header"), BUMP).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
