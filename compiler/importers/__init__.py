"""From other frameworks' files to the `transformer` dialect."""
