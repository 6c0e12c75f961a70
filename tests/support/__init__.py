"""What tests share: real servers, programs as processes, topics, streams and patience."""
