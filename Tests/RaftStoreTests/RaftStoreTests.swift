import RaftStore
