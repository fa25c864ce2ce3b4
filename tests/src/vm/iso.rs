//! A disc with one file: ISO 9660, as much of it as a kernel needs.

/// Bytes of a logical sector (ECMA-119, 6.1.2).
const SECTOR: usize = 2048;
/// The first sixteen sectors belong to the system; then the descriptor, its end, path tables, folder, file.
const DESCRIPTOR: usize = 16;
const TERMINATOR: usize = 17;
const PATHS_LITTLE: usize = 18;
const PATHS_BIG: usize = 19;
const FOLDER: usize = 20;
const FILE: usize = 21;
/// A path table with nothing but the root (9.4).
const PATHS_LENGTH: usize = 10;

/// The image of a disc with a file called `name` (in capitals, as the standard wants; Linux shows it in small
/// letters).
pub fn image(label: &str, name: &str, content: &[u8]) -> Vec<u8> {
    let sectors = FILE + content.len().div_ceil(SECTOR).max(1);
    let mut disc = vec![0; sectors * SECTOR];
    put(&mut disc, DESCRIPTOR, 0, &descriptor(label, sectors));
    put(&mut disc, TERMINATOR, 0, b"\xffCD001\x01");
    put(&mut disc, PATHS_LITTLE, 0, &[&[1, 0][..], &number(FOLDER).to_le_bytes(), &[1, 0, 0]].concat());
    put(&mut disc, PATHS_BIG, 0, &[&[1, 0][..], &number(FOLDER).to_be_bytes(), &[0, 1, 0]].concat());
    let file = record(FILE, content.len(), false, format!("{name};1").as_bytes());
    put(&mut disc, FOLDER, 0, &[root(&[0]), root(&[1]), file].concat());
    put(&mut disc, FILE, 0, content);
    disc
}

fn put(disc: &mut [u8], sector: usize, at: usize, bytes: &[u8]) {
    let start = sector * SECTOR + at;
    disc[start..start + bytes.len()].copy_from_slice(bytes);
}

/// The primary volume descriptor (8.4): version, names padded with blanks, sizes, the root's record.
fn descriptor(label: &str, sectors: usize) -> Vec<u8> {
    let mut bytes = vec![0; SECTOR];
    bytes[..7].copy_from_slice(b"\x01CD001\x01");
    bytes[8..72].copy_from_slice(format!("{:32}{label:32}", "").as_bytes());
    bytes[80..88].copy_from_slice(&both(sectors));
    for at in [120, 124] {
        bytes[at..at + 4].copy_from_slice(&both_short(1));
    }
    bytes[128..132].copy_from_slice(&both_short(SECTOR as u16));
    bytes[132..140].copy_from_slice(&both(PATHS_LENGTH));
    bytes[140..144].copy_from_slice(&number(PATHS_LITTLE).to_le_bytes());
    bytes[148..152].copy_from_slice(&number(PATHS_BIG).to_be_bytes());
    bytes[156..190].copy_from_slice(&root(&[0]));
    bytes[190..813].fill(b' ');
    for (at, length) in [(813, 17), (830, 17), (847, 17), (864, 17)] {
        bytes[at..at + length - 1].fill(b'0');
    }
    bytes[881] = 1;
    bytes
}

fn root(name: &[u8]) -> Vec<u8> {
    record(FOLDER, SECTOR, true, name)
}

/// A directory record (9.1): length, place, size, no date, kind, name, padded to an even length.
fn record(sector: usize, size: usize, is_folder: bool, name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 33];
    bytes[2..10].copy_from_slice(&both(sector));
    bytes[10..18].copy_from_slice(&both(size));
    bytes[25] = if is_folder { 2 } else { 0 };
    bytes[28..32].copy_from_slice(&both_short(1));
    bytes[32] = name.len() as u8;
    bytes.extend_from_slice(name);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes[0] = bytes.len() as u8;
    bytes
}

fn number(value: usize) -> u32 {
    u32::try_from(value).expect("a small disc")
}

/// In both byte orders (7.3.3).
fn both(value: usize) -> [u8; 8] {
    let [little, big] = [number(value).to_le_bytes(), number(value).to_be_bytes()];
    std::array::from_fn(|at| if at < 4 { little[at] } else { big[at - 4] })
}

fn both_short(value: u16) -> [u8; 4] {
    let [[a, b], [c, d]] = [value.to_le_bytes(), value.to_be_bytes()];
    [a, b, c, d]
}
