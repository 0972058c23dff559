# syntax=docker/dockerfile:1
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /tidings ./cmd/tidings

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /tidings /tidings
USER nonroot
EXPOSE 8080
ENTRYPOINT ["/tidings"]
