{
  "targets": [
    {
      "target_name": "conntrackd",
      "sources": [
        "native/addon.cc",
        "native/socket.cc",
        "native/batch.cc",
        "native/poll.cc",
        "native/host.cc",
        "native/loop.cc"
      ],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "cflags": ["-Wall", "-Wextra", "-Wno-cast-function-type", "-O2"],
      "cflags_cc": ["-std=c++17", "-fno-exceptions"]
    }
  ]
}
