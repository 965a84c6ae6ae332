//! What is installed: image, manifests and chart, as the API server and the machine see them.
