//! Real stub resolvers in pods: the same results, in fewer questions.
