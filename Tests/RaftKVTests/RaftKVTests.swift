import RaftKV
