// Go's HTTP/2 server in clear text, which answers every request with the headers of a file, and looks at none of it.
//
//	fixed-go PORT FILE
package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/h2c"
)

func readHeaders(path string) http.Header {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	headers := http.Header{}
	for _, line := range strings.Split(string(text), "\r\n") {
		if name, value, found := strings.Cut(line, ": "); found {
			headers.Set(name, value)
		}
	}
	return headers
}

func main() {
	runtime.GOMAXPROCS(1)
	headers := readHeaders(os.Args[2])
	answer := func(writer http.ResponseWriter, request *http.Request) {
		out := writer.Header()
		for name, values := range headers {
			out[name] = values
		}
		writer.WriteHeader(http.StatusOK)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, h2c.NewHandler(http.HandlerFunc(answer), &http2.Server{})))
}
