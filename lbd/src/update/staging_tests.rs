//! Archives of every kind, and an init that answers.

use super::*;
use crate::update::Updates;
use crate::update::fake::{KEYS, archive, places};

struct Appliance {
    folder: tempfile::TempDir,
    updates: Updates,
}

impl Appliance {
    /// Version 1.0 runs.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let updates = Updates::below(folder.path(), Some(places(folder.path())));
        Self { folder, updates }
    }

    async fn bring(&self, bytes: &[u8], sum: Option<Sha>) -> Result<Manifest, Refusal> {
        let mut upload = self.updates.upload(Some(bytes.len() as u64)).await?;
        for piece in bytes.chunks(16_000) {
            upload.push(piece).await?;
        }
        upload.finish(sum).await
    }

    async fn staged(&self) -> Option<Manifest> {
        self.updates.staged("1.0".parse().unwrap()).await
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("update")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[tokio::test]
async fn a_good_one_waits_until_it_is_installed_or_thrown_away() {
    let appliance = Appliance::new();
    assert_eq!(appliance.staged().await, None);
    let bytes = archive("1.1", &KEYS[0]);
    let brought = appliance.bring(&bytes, Some(Sha::of(&bytes))).await.unwrap();
    assert_eq!(appliance.staged().await, Some(brought));
    assert_eq!(appliance.files(), ["staged.update"]);
    assert_eq!(fs::read(appliance.folder.path().join("update/staged.update")).unwrap(), bytes);
    appliance.updates.discard().await.unwrap();
    assert_eq!((appliance.staged().await, appliance.files().len()), (None, 0));
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let appliance = Appliance::new();
    let good = archive("1.1", &KEYS[0]);
    let mut damaged = good.clone();
    let middle = good.len() - 5000;
    damaged[middle] ^= 1;
    let table = [
        (good.clone(), Some(Sha::of(b"another")), "the checksum does not fit"),
        (damaged, None, "not what its manifest says"),
        (archive("1.1", &KEYS[1]), None, "another key than this system trusts"),
        (good[..good.len() - 1024].to_vec(), None, "cut off"),
        (archive("1.0", &KEYS[0]), None, "not newer than 1.0"),
        (b"PK\x03\x04 a zip file".repeat(100), None, "no update archive"),
    ];
    for (bytes, sum, words) in table {
        let refused = appliance.bring(&bytes, sum).await.unwrap_err();
        assert!(matches!(&refused, Refusal::Archive(why) if why.contains(words)), "{words}: {refused:?}");
        assert!(appliance.files().is_empty(), "{words}: {:?}", appliance.files());
    }
}

#[tokio::test]
async fn one_comes_at_a_time_and_one_that_breaks_off_leaves_nothing() {
    let appliance = Appliance::new();
    let bytes = archive("1.1", &KEYS[0]);
    let mut first = appliance.updates.upload(None).await.unwrap();
    first.push(&bytes[..600_000]).await.unwrap();
    assert_eq!(appliance.files(), ["upload.partial"]);
    assert_eq!(appliance.updates.upload(None).await.unwrap_err(), Refusal::Busy);
    drop(first);
    assert!(appliance.files().is_empty());
    appliance.bring(&bytes, None).await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_comes() {
    let appliance = Appliance::new();
    let refused = appliance.updates.upload(Some(4 << 30)).await.unwrap_err();
    assert!(matches!(&refused, Refusal::Archive(why) if why.contains("4096 MiB")), "{refused:?}");
}

#[tokio::test]
async fn elsewhere_than_on_the_appliance_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let updates = Updates::below(folder.path(), None);
    assert_eq!(updates.upload(None).await.unwrap_err(), Refusal::NotTheAppliance);
    assert_eq!(updates.discard().await, Err(Refusal::NotTheAppliance));
}

#[test]
fn a_full_disk_is_told_before_anything_comes() {
    // No file system has room for the address space.
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pub");
    fs::write(&key, KEYS[0].pk.to_box().unwrap().to_string()).unwrap();
    let running: Version = "1.0".parse().unwrap();
    let begun = begin(Path::new("/proc"), &key, running, Some(1000));
    assert!(matches!(begun, Err(Refusal::Failed(_))), "{begun:?}");
}
