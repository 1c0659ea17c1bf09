"""The conformance kits in parts, one for each thing a storage keeps."""
