//! The checksums that S3 keeps beside an object, over its whole content.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use aws_smithy_checksums::ChecksumAlgorithm;
use aws_smithy_types::base64;

/// An object's checksum over its whole content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullChecksum {
    pub(super) algorithm: ChecksumAlgorithm,
    /// In base64, as HeadObject answers it.
    pub(super) value: String,
}

impl FullChecksum {
    /// Tells whether a file has this checksum. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_of(&self, path: &Path) -> io::Result<bool> {
        let mut sum = self.algorithm.into_impl();
        let mut file = BufReader::with_capacity(128 << 10, File::open(path)?);
        loop {
            let chunk = file.fill_buf()?;
            if chunk.is_empty() {
                return Ok(base64::encode(sum.finalize()) == self.value);
            }
            sum.update(chunk);
            let length = chunk.len();
            file.consume(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_check_values_of_the_crc_catalogue_and_openssls_digests() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("check");
        std::fs::write(&path, b"123456789").expect("a file");
        for (algorithm, value) in [
            (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
            (ChecksumAlgorithm::Crc32c, "4waSgw=="),
            (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (
                ChecksumAlgorithm::Sha256,
                "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
            ),
        ] {
            let value = value.to_owned();
            let checksum = FullChecksum { algorithm, value };
            assert!(checksum.is_of(&path).expect("read"), "{algorithm:?}");
        }
    }
}
